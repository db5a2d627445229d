// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What becomes of open and mapped files that cannot be saved.

use std::fmt;
use std::str::FromStr;

/// A rule: the first whose pattern fits the name of a file decides about it. Without one it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Of the name that messages call the file by: `/dev/dri/*`, `socket:*`. A star stands for any bytes.
    pub pattern: String,
    /// What becomes of it.
    pub action: Action,
}

/// What becomes of a file that cannot be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The checkpoint does not take place.
    Refuse,
    /// Its descriptor stays taken, but whatever is done with it says EBADF; mapped memory cannot be accessed.
    Close,
    /// The file of this name is opened in its place.
    Replace(String),
    /// Its process is killed at restart, before it runs.
    Kill,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern = &self.pattern;
        match &self.action {
            Action::Refuse => write!(f, "{pattern}=refuse"),
            Action::Close => write!(f, "{pattern}=close"),
            Action::Replace(path) => write!(f, "{pattern}=replace:{path}"),
            Action::Kill => write!(f, "{pattern}=kill"),
        }
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "one of PATTERN=refuse, PATTERN=close, PATTERN=kill, PATTERN=replace:/PATH".to_owned();
        let (pattern, action) = text.rsplit_once('=').ok_or_else(wrong)?;
        let action = match (action, action.strip_prefix("replace:")) {
            ("refuse", _) => Action::Refuse,
            ("close", _) => Action::Close,
            ("kill", _) => Action::Kill,
            (_, Some(path)) if path.starts_with('/') => Action::Replace(path.into()),
            _ => return Err(wrong()),
        };
        if pattern.is_empty() || text.contains('\0') {
            return Err(wrong());
        }
        Ok(Self {
            pattern: pattern.into(),
            action,
        })
    }
}

/// Reads a file of policies: one a line; empty lines, and what begins with `#`, say nothing.
pub fn parse_policies(text: &str) -> Result<Vec<Policy>, String> {
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(i, line)| line.parse().map_err(|wrong| format!("line {}: {wrong}", i + 1)))
        .collect()
}

/// As the kernel wants to have them.
pub(crate) fn texts(policies: &[Policy]) -> Vec<u8> {
    policies
        .iter()
        .flat_map(|policy| format!("{policy}\0").into_bytes())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["/dev/dri/*=close", "socket:*=kill", "a=b=refuse", "*=replace:/dev/null"] {
            assert_eq!(text.parse::<Policy>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "=close",
            "x",
            "x=",
            "x=open",
            "x=replace:",
            "x=replace:here",
            "x\0=close",
        ] {
            assert!(text.parse::<Policy>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn reads_a_file_and_names_the_line() {
        let policies = parse_policies("# graphics\n\n /dev/dri/*=close \n*=refuse\n").unwrap();
        assert_eq!(texts(&policies), b"/dev/dri/*=close\0*=refuse\0");
        assert!(parse_policies("x=close\ny\n").unwrap_err().starts_with("line 2: "));
    }
}
