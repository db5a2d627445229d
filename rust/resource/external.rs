// SPDX-License-Identifier: GPL-2.0

//! What the target has to do with the world outside, and the restarter says anew.
//!
//! Saved: names of network devices whose other end is in the caller's network namespace. Each needs an answer at restart.
//! Answers that nothing asks for by name say from where mounts come.
//! Shown by: ns/keeps_a_mount_that_comes_from_elsewhere, ns/keeps_a_veth_pair_with_an_end_outside, hostile/external_records.
//!
//! Record: [`ckpt_uapi::record::external`].

use super::{ns, Whole};
use crate::{
    error::{Fault, Result},
    statefile::{Reader, Writer},
    wrapper::{file::File, ns::Kind},
};
use ckpt_uapi::record::external::{External as Record, EXTERNALS_MAX};
use kernel::prelude::*;

/// Longest text: two paths and a kind.
const TEXT_MAX: usize = 2 * 4096;
/// Longest name of a network device.
const NAME_MAX: usize = 15;

/// Writes what a restart has to be told, if there is anything.
pub(crate) fn dump(whole: &Whole<'_>, out: &mut Writer) -> Result {
    let names = ns::outside(whole)?;
    if names.is_empty() {
        return Ok(());
    }
    if names.len() > EXTERNALS_MAX as usize {
        return Err(Fault::new(
            EOPNOTSUPP,
            format_args!("too many network devices have their other end outside"),
        ));
    }
    let r = Record {
        length: names.len() as u32,
        reserved: 0,
    };
    out.record_with(&r, &names[..])
}

/// The name of a network device in an answer, and the new one.
fn veth_parts(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = text.strip_prefix(b"veth[")?;
    let end = rest.windows(2).rposition(|w| w == b"]=")?;
    Some((&rest[..end], &rest[end + 2..]))
}

/// What the restarter has said.
pub(crate) struct External {
    texts: KVVec<u8>,
    network: File,
}

/// Texts, each with a NUL at its end.
fn split(texts: &[u8]) -> impl Iterator<Item = &[u8]> {
    texts.strip_suffix(b"\0").into_iter().flat_map(|t| t.split(|b| *b == 0))
}

impl External {
    /// Takes what the caller says, whose network namespace is the one outside. `EINVAL` for what is no answer to anything.
    pub(crate) fn new(texts: KVVec<u8>) -> Result<Self> {
        let is_name = |name: &[u8]| {
            (1..=NAME_MAX).contains(&name.len())
                && ![&b"."[..], b".."].contains(&name)
                && core::str::from_utf8(name).is_ok()
                && !name.iter().any(|b| b"/:%".contains(b) || b.is_ascii_whitespace())
        };
        let known = |text: &[u8]| {
            let is_path = text.starts_with(b"mnt[/") && text.windows(3).any(|w| w == b"]=/");
            let is_veth = veth_parts(text).is_some_and(|(name, new)| !name.is_empty() && is_name(new));
            text.len() <= TEXT_MAX && (is_path || is_veth)
        };
        if !texts.is_empty() && (texts.last() != Some(&0) || !split(&texts).all(known)) {
            return Err(Fault::new(
                EINVAL,
                format_args!("invalid argument: neither veth[NAME]=NAME nor mnt[/PATH]=/PATH"),
            ));
        }
        Ok(Self {
            texts,
            network: Kind::Net.open_own()?,
        })
    }

    /// What has been said of a name, `kind[name]`.
    fn find(&self, kind: &[u8], name: &[u8]) -> Option<&[u8]> {
        split(&self.texts).find_map(|text| {
            let rest = text.strip_prefix(kind)?.strip_prefix(b"[")?;
            rest.strip_prefix(name)?.strip_prefix(b"]=")
        })
    }

    /// Name of the other end of a network device.
    pub(crate) fn veth(&self, name: &[u8]) -> Option<&[u8]> {
        self.find(b"veth", name)
    }

    /// From where comes a mount that came from a path.
    pub(crate) fn mount(&self, path: &[u8]) -> Option<&[u8]> {
        self.find(b"mnt", path)
    }

    /// The restarter's network namespace.
    pub(crate) fn network(&self) -> &File {
        &self.network
    }

    /// Looks whether some name of a network device has been asked for by none of `names`.
    fn is_asked_for(&self, names: &[u8]) -> Result {
        let asked = |device: &[u8]| {
            split(names).any(|name| name.strip_prefix(b"veth[").and_then(|n| n.strip_suffix(b"]")) == Some(device))
        };
        for (device, _) in split(&self.texts).filter_map(veth_parts) {
            if !asked(device) {
                let device = core::str::from_utf8(device).unwrap_or("?");
                return Err(Fault::new(
                    EINVAL,
                    format_args!("the statefile has no network device {device} whose other end was outside"),
                ));
            }
        }
        Ok(())
    }

    /// Looks whether nothing has been said to a statefile that asks for nothing.
    pub(crate) fn has_none(&self) -> Result {
        self.is_asked_for(b"")
    }

    /// Looks whether there is an answer to all that the current record asks for.
    pub(crate) fn has_all(&self, input: &Reader) -> Result {
        let r: Record = input.fixed()?;
        let names = input.variable();
        let right = |name: &[u8]| name.starts_with(b"veth[") && name.ends_with(b"]") && name.len() <= NAME_MAX + 6;
        if r.reserved != 0
            || r.length > EXTERNALS_MAX
            || r.length as usize != names.len()
            || names.last() != Some(&0)
            || !split(names).all(right)
        {
            return Err(input.bad(EBADMSG, format_args!("wrong values in an external record")));
        }
        for name in split(names) {
            let device = &name[5..name.len() - 1];
            if self.veth(device).is_none() {
                let device = core::str::from_utf8(device).unwrap_or("?");
                return Err(Fault::new(
                    ENOENT,
                    format_args!(
                        "the other end of network device {device} was in the network namespace of whoever saved it: \
                         name the new one with --external 'veth[{device}]=NAME'"
                    ),
                ));
            }
        }
        self.is_asked_for(names)
    }
}
