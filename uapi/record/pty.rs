// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Pseudoterminals: pairs, the open files of their two ends, and who has one as controlling terminal.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::record;

/// Largest part of an end's content that its line discipline has: its buffer (`N_TTY_BUF_SIZE`).
pub const READ_MAX: u32 = 4096;
/// Largest part of an end's content that waits for room there.
pub const FLIP_MAX: u32 = 64 * 1024;
/// Largest echo that waits to be written.
pub const ECHO_MAX: u32 = 4095;
/// Highest number of a pair (`NR_UNIX98_PTY_MAX`).
pub const INDEX_MAX: u32 = (1 << 20) - 1;

/// Values of [`Pty::flags`].
pub mod flags {
    /// The slave may not be opened (TIOCSPTLCK).
    pub const LOCKED: u32 = 1 << 0;
    /// Packet mode (TIOCPKT).
    pub const PACKET: u32 = 1 << 1;
    /// The master is exclusive (TIOCEXCL).
    pub const MASTER_EXCLUSIVE: u32 = 1 << 2;
    /// The slave is exclusive (TIOCEXCL).
    pub const SLAVE_EXCLUSIVE: u32 = 1 << 3;
    /// Output of the master is stopped.
    pub const MASTER_STOPPED: u32 = 1 << 4;
    /// Output of the master is stopped by tcflow(3).
    pub const MASTER_OFF: u32 = 1 << 5;
    /// Output of the slave is stopped, as by `^S`.
    pub const SLAVE_STOPPED: u32 = 1 << 6;
    /// Output of the slave is stopped by tcflow(3).
    pub const SLAVE_OFF: u32 = 1 << 7;
    /// The last open file of the slave has been closed: who reads the master gets EIO.
    pub const SLAVE_CLOSED: u32 = 1 << 8;
    /// The next character is taken literally (`^V` was typed).
    pub const LITERAL_NEXT: u32 = 1 << 9;
    /// What is erased is being shown (ECHOPRT).
    pub const ERASING: u32 = 1 << 10;
    /// The line that can be read is one only because canonical mode was set.
    pub const PUSHED: u32 = 1 << 11;
    /// The master was opened in the mounts of the restarter, not in those of the task.
    pub const OUTSIDE: u32 = 1 << 12;
    /// All known flags.
    pub const ALL: u32 = (1 << 13) - 1;
}

/// Fixed part of a pty record: an object, a pair with its master open. The variable part is the path by which the master was opened,
/// what the master's line discipline has, what waits for room there; the same of the slave, but between the two a bit for each byte
/// that ends a line (least bit first); and the echo.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Pty {
    /// Number of the object.
    pub objref: u32,
    /// Number of the pair: that of /dev/pts/N.
    pub index: u32,
    /// [`flags`].
    pub flags: u32,
    /// Length of the path in bytes.
    pub path_len: u32,
    /// Bytes that can be read from the master.
    pub master_read: u32,
    /// Bytes that come after those.
    pub master_flip: u32,
    /// Bytes that the slave's line discipline has taken.
    pub slave_read: u32,
    /// Bytes that come after those, and that it has not processed.
    pub slave_flip: u32,
    /// Bytes of echo.
    pub echo: u32,
    /// How many of those may be written.
    pub echo_commit: u32,
    /// How many of those may be written when the next character comes.
    pub echo_mark: u32,
    /// Canonical mode: how many of the slave's bytes are whole lines.
    pub canon_head: u32,
    /// Column of the cursor.
    pub column: u32,
    /// Column where the line that is being typed begins.
    pub canon_column: u32,
    /// How many bytes of `slave_flip` have been searched for `^S` and `^Q` already.
    pub lookahead: u32,
    /// TIOCPKT_* events that the master has not read.
    pub packet_status: u32,
    /// As `struct winsize`: rows, columns, and their sizes in pixels.
    pub winsize: [u16; 4],
    /// As `struct termios2`, from here on.
    pub iflag: u32,
    /// Output modes.
    pub oflag: u32,
    /// Control modes.
    pub cflag: u32,
    /// Local modes.
    pub lflag: u32,
    /// Line discipline, as the program has set it here; it is N_TTY.
    pub line: u8,
    /// Control characters.
    pub cc: [u8; 19],
    /// Input speed.
    pub ispeed: u32,
    /// Output speed.
    pub ospeed: u32,
    /// Permissions of /dev/pts/N.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// O_* flags of the master.
    pub open_flags: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(Pty, Pty, 136);

/// Bytes of the bits that say which of `count` bytes end a line.
pub const fn mark_bytes(count: u32) -> u32 {
    count.div_ceil(8)
}

/// Values of [`PtyFile::end`].
pub mod end {
    /// The master.
    pub const MASTER: u32 = 1;
    /// The slave.
    pub const SLAVE: u32 = 2;
    /// The slave, opened as the controlling terminal by /dev/tty.
    pub const TTY: u32 = 3;
    /// A slave whose master has been closed.
    pub const HUNG_UP: u32 = 4;
}

/// Fixed part of a pty-file record: an object, an open file of a pair. The variable part is the path of /dev/tty for TTY.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PtyFile {
    /// Number of the object.
    pub objref: u32,
    /// Which [`end`] it is of.
    pub end: u32,
    /// Objref of the pair; 0 for HUNG_UP.
    pub pty: u32,
    /// O_* flags; 0 for MASTER, whose flags are in the record of the pair.
    pub flags: u32,
    /// Lock of flock(2): LOCK_SH (1), LOCK_EX (2) or 0.
    pub lock: u32,
    /// Length of the path in bytes.
    pub path_len: u32,
}
record!(PtyFile, PtyFile, 24);

/// The controlling terminal of a process, if it is the slave of a pair in the tree.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Ctty {
    /// Objref of the pair.
    pub pty: u32,
    /// 1 when the process group is the foreground one.
    pub foreground: u32,
}
record!(Ctty, Ctty, 8);
