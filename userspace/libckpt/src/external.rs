// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What a restart is told about the world outside.

use std::fmt;
use std::str::FromStr;

/// Something that the saved program had to do with the world outside, and what takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum External {
    /// The other end of a network device was in the network namespace of whoever saved: it is made anew in that of the caller.
    Veth {
        /// Name of the device of the program.
        inner: String,
        /// Name of the new device. It is down and has no addresses.
        outer: String,
    },
    /// A mount of the program came from a path in the mounts of whoever saved: it comes from another one in those of the caller.
    Mount {
        /// The path, as the statefile has it.
        path: String,
        /// The new one.
        new: String,
    },
}

impl fmt::Display for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Veth { inner, outer } => write!(f, "veth[{inner}]={outer}"),
            Self::Mount { path, new } => write!(f, "mnt[{path}]={new}"),
        }
    }
}

impl FromStr for External {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = |kind: &str| text.strip_prefix(kind)?.strip_prefix('[')?.split_once("]=");
        let right = |name: &str| !name.is_empty() && !name.contains('\0');
        if let Some((inner, outer)) = part("veth").filter(|(inner, outer)| right(inner) && right(outer)) {
            return Ok(Self::Veth {
                inner: inner.into(),
                outer: outer.into(),
            });
        }
        let is_path = |path: &str| path.starts_with('/') && right(path);
        if let Some((path, new)) = part("mnt").filter(|(path, new)| is_path(path) && is_path(new)) {
            return Ok(Self::Mount {
                path: path.into(),
                new: new.into(),
            });
        }
        Err("one of veth[NAME]=NAME, mnt[/PATH]=/PATH".into())
    }
}

/// As the kernel wants to have them.
pub(crate) fn texts(externals: &[External]) -> Vec<u8> {
    externals
        .iter()
        .flat_map(|external| format!("{external}\0").into_bytes())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["veth[eth0]=host0", "mnt[/srv/data]=/mnt/data"] {
            assert_eq!(text.parse::<External>().map(|e| e.to_string()), Ok(text.into()));
        }
        for text in [
            "",
            "veth[]=a",
            "veth[a]=",
            "veth[a]b",
            "mnt[a]=/b",
            "mnt[/a]=b",
            "dev[a]=b",
        ] {
            assert!(text.parse::<External>().is_err(), "{text}");
        }
    }
}
