// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! /dev/ckpt without manners: any ioctl number with any bytes, for the hostile cases.

use crate::Result;
use libckpt::uapi::ioctl::DEVICE;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Opens the device.
pub fn open() -> Result<File> {
    Ok(File::options().read(true).write(true).open(DEVICE)?)
}

/// An ioctl whose argument is this buffer. The kernel may write into it. The error is an errno.
pub fn ioctl(device: &File, request: u32, argument: &mut [u8]) -> std::result::Result<i32, i32> {
    // Behind the struct, as far as the module may look: it copies at most the size that the struct names.
    assert!(
        argument.len() >= 4096 || argument.is_empty(),
        "the argument needs room for what the kernel may write"
    );
    // SAFETY: the address is that of a live buffer of at least a page, more than any ioctl of the device copies in or
    // out when the size in it is bounded by a page (the callers' sizes are).
    let result = unsafe { libc::ioctl(device.as_raw_fd(), request as libc::Ioctl, argument.as_mut_ptr()) };
    if result < 0 {
        Err(last_errno())
    } else {
        Ok(result)
    }
}

/// An ioctl whose argument is not a valid address.
pub fn ioctl_at(device: &File, request: u32, address: usize) -> std::result::Result<i32, i32> {
    assert!(
        address < 4096 || address >= 1 << 47,
        "the address may belong to something"
    );
    // SAFETY: the address is in the first page, which nobody maps, or above user space: the kernel cannot write there.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), request as libc::Ioctl, address) };
    if result < 0 {
        Err(last_errno())
    } else {
        Ok(result)
    }
}

fn last_errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
