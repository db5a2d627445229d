// SPDX-License-Identifier: GPL-2.0

//! Overlays of a mount namespace, which the caller does not see.
//!
//! Saved: the layers and the work directory, as paths in the restarter's mounts (which `--external` may change); options. What is in the
//! layers stays where it is, as files with a name do.
//! Refused: a layer that the caller does not see, or with an id mapping; a volatile one, which the kernel mounts only once; one that
//! was mounted from another user namespace, or with nooverride_creds. At a restart: an upper layer or a work directory that an overlay has
//! that is still mounted.
//! Shown by: ns/keeps_an_overlay, ns/keeps_a_container_with_an_overlay_as_root, refuse/mount_overlay, hostile/values_of_overlays.
//!
//! C source: `fs/overlayfs/`

use crate::{
    error::{Context, Fault, Result},
    wrapper::{
        cred::Cred,
        fcntl::O_PATH,
        file::{with_fd, File},
        mount::{Layer, Mount},
        path::{Fs, PathBuf},
        syscall::{nr, CurrentTask},
        task::sleep_killable, //
    },
};
use ckpt_uapi::record::mnt::OPTIONS_MAX;
use kernel::prelude::*;

use super::mnt::{show, text_at};

/// Its type.
pub(super) const KIND: &[u8] = b"overlay";

/// Options that name a layer or the work directory.
const LAYERS: [(Layer, &[u8]); 4] = [
    (Layer::Lower, b"lowerdir+"),
    (Layer::Data, b"datadir+"),
    (Layer::Upper, b"upperdir"),
    (Layer::Work, b"workdir"),
];

/// How long an upper layer may be in use by an overlay that is about to go with its program, in milliseconds.
const PATIENCE_MS: u32 = 2000;

fn refuse<T>(text: core::fmt::Arguments<'_>) -> Result<T> {
    Err(Fault::new(EOPNOTSUPP, text))
}

/// Options as the one that mounts it again has to give them, each with a leading comma; `all` are those of /proc/mounts. `maker` is of the
/// task that will mount it, `callers` are the caller's mounts, seen from `root`.
pub(super) fn options(m: &Mount, maker: &Cred, all: &[u8], callers: &[Mount], root: &Fs) -> Result<KVVec<u8>> {
    if !m.is_overlay_of(maker) {
        return refuse(format_args!(
            "a mount of type overlay cannot be saved: another user namespace has mounted it, or with nooverride_creds"
        ));
    }
    let mut out = KVVec::new();
    let mut path = PathBuf::new()?;
    for (kind, layer) in m.layers()? {
        if layer.is_idmapped() {
            return refuse(format_args!(
                "a mount of type overlay cannot be saved: a layer has an id mapping"
            ));
        }
        let mut seen = false;
        for other in callers {
            seen = seen || layer.print_elsewhere(other, root, &mut path)?;
        }
        if !seen {
            layer.print_root(&mut path)?;
            return refuse(format_args!(
                "a mount of type overlay cannot be saved: the caller does not see a layer of it, {} in its file system",
                path.as_str()
            ));
        }
        let key = LAYERS.iter().find(|(k, _)| *k == kind).map_or(&b""[..], |(_, key)| key);
        for part in [b",", key, b"="] {
            out.extend_from_slice(part, GFP_KERNEL_ACCOUNT)?;
        }
        escape(path.as_bytes(), &mut out)?;
    }
    for option in all.split(|b| *b == b',').filter(|o| !o.is_empty()) {
        let key = option.split(|b| *b == b'=').next().unwrap_or(option);
        if key == b"lowerdir" || layer_of(key).is_some() {
            continue;
        }
        if option == b"fsync=volatile" || option == b"volatile" {
            return refuse(format_args!(
                "a mount of type overlay cannot be saved: it is volatile, and can be mounted only once"
            ));
        }
        out.push(b',', GFP_KERNEL_ACCOUNT)?;
        out.extend_from_slice(option, GFP_KERNEL_ACCOUNT)?;
    }
    if out.len() > OPTIONS_MAX as usize {
        return refuse(format_args!(
            "a mount of type overlay cannot be saved: its layers have too long paths"
        ));
    }
    Ok(out)
}

/// As the kernel escapes options.
fn escape(text: &[u8], out: &mut KVVec<u8>) -> Result {
    for byte in text {
        match byte {
            b',' | b'\\' | b' ' | b'\t' | b'\n' | b'#' => {
                for digit in [b'\\', byte >> 6, byte >> 3 & 7, byte & 7] {
                    let digit = if digit == b'\\' { digit } else { b'0' + digit };
                    out.push(digit, GFP_KERNEL_ACCOUNT)?;
                }
            }
            _ => out.push(*byte, GFP_KERNEL_ACCOUNT)?,
        }
    }
    Ok(())
}

/// What an option of an overlay names, if it is no other one.
pub(super) fn layer_of(key: &[u8]) -> Option<Layer> {
    LAYERS.iter().find(|(_, name)| *name == key).map(|(layer, _)| *layer)
}

/// Gives a layer to an overlay that is being configured: by a descriptor, since a path as text may be longer than the kernel takes.
pub(super) fn set_layer(me: &CurrentTask, fs: u64, layer: Layer, key: &[u8], path: &[u8]) -> Result {
    if path.first() != Some(&b'/') {
        return Err(Fault::new(
            EBADMSG,
            format_args!("not an absolute path: {}", show(path)),
        ));
    }
    let dir = File::open(path, O_PATH).context(format_args!("there is no layer {}", show(path)))?;
    if matches!(layer, Layer::Upper | Layer::Work) {
        wait_until_unused(&dir).context(format_args!("another overlay has {}", show(path)))?;
    }
    let command = u64::from(nr::fsconfig_command_FSCONFIG_SET_FD);
    with_fd(me, &dir, |fd| {
        let at = text_at(me, 0, key)?;
        me.call(nr::__NR_fsconfig, &[fs, command, at, 0, fd])
    })
    .context(format_args!("cannot set option {}", show(key)))?;
    Ok(())
}

/// Two overlays with one upper layer would damage it.
fn wait_until_unused(dir: &File) -> kernel::error::Result {
    for _ in 0..PATIENCE_MS / 4 {
        if !dir.is_in_use_by_overlay() {
            return Ok(());
        }
        sleep_killable(4);
    }
    Err(EBUSY)
}
