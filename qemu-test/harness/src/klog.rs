// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The kernel log: complaints that a case has caused.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

const SIGNS: &[&str] = &[
    "WARNING:",
    "BUG:",
    "kernel BUG at",
    "Oops",
    "Kernel panic",
    "general protection fault",
    "unable to handle",
    "double fault",
    "blocked for more than",
    "detected stalls",
    "self-detected stall",
    "soft lockup",
    "refcount_t:",
    "list_add corruption",
    "list_del corruption",
    "scheduling while atomic",
    "sleeping function called",
    "Bad page state",
    "Bad page map",
    "Bad rss-counter state",
    "non-zero pgtables_bytes",
    "UBSAN:",
    "KASAN:",
    "Objects remaining",
];

/// A reader of the kernel log that has seen everything up to now.
#[derive(Debug)]
pub struct KernelLog(File);

impl KernelLog {
    /// Begins at the end of the log.
    pub fn open() -> io::Result<Self> {
        let mut file = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/kmsg")?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self(file))
    }

    /// New lines.
    pub fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut buffer = [0; 8192];
        loop {
            match self.0.read(&mut buffer) {
                // One read is one record: "priority,number,time,flags;text\n KEY=value\n".
                Ok(length) => {
                    let record = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    let text = record.split_once(';').map_or("", |(_, text)| text);
                    lines.push(text.lines().next().unwrap_or("").to_owned());
                }
                // Records were overwritten before they were read: go on with the next.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return lines,
            }
        }
    }

    /// New lines that say that the kernel is unwell.
    pub fn complaints(&mut self) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| is_complaint(line));
        lines
    }
}

fn is_complaint(line: &str) -> bool {
    // A user program's own fault.
    let of_program = line.contains("traps: ") || line.contains("segfault at");
    !of_program && SIGNS.iter().any(|sign| line.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::is_complaint;

    #[test]
    fn tells_complaints_from_news() {
        assert!(is_complaint("WARNING: CPU: 0 PID: 1 at kernel/exit.c:1"));
        assert!(is_complaint("BUG: kernel NULL pointer dereference"));
        assert!(!is_complaint("ckpt: loaded"));
        assert!(!is_complaint("traps: a[1] general protection fault ip:1 sp:2 error:0"));
    }
}
