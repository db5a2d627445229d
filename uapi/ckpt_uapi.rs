// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The contract between `ckpt.ko` and user space.
//!
//! Three things are contract: the ioctls of `/dev/ckpt` ([`ioctl`]), the messages that a session reports
//! ([`status`]) and the statefile ([`statefile`], [`record`], described for people in `STATEFILE.md`).
//! The crate is compiled twice, into the module and into `libckpt`; it holds no behaviour except the
//! validation of its own values.
//!
//! How to change it: ioctl structs and record bodies grow only at their end; record and ioctl numbers are
//! never reused; a change of meaning is a new record version or a new ioctl. `STATEFILE.md` and the C header
//! `ckpt.h` change in the same commit.

// The kernel build says no_std on the command line.
#![cfg_attr(not(MODULE), no_std)]
#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

pub mod ioctl;
pub mod record;
pub mod statefile;
pub mod status;

/// Version of the ioctl interface, as `CKPT_INFO` reports it.
pub const ABI_VERSION: u32 = 1;
/// Format version that this crate writes.
pub const FORMAT_VERSION: u32 = 1;
/// Oldest format version that this crate reads.
pub const FORMAT_OLDEST: u32 = 1;
