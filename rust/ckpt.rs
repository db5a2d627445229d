// SPDX-License-Identifier: GPL-2.0

//! ckpt: checkpoint and restart of running programs.
//!
//! `docs/DESIGN.md` has the picture; `resource.rs` the list of the kinds of state; `wrapper.rs` all unsafe code.

#![deny(unsafe_code)]

use kernel::{
    miscdevice::{MiscDeviceOptions, MiscDeviceRegistration},
    prelude::*, //
};

mod device;
mod dump;
mod error;
mod freeze;
mod objects;
mod resource;
mod restore;
mod session;
mod statefile;
mod wrapper;

/// Version of the module.
pub(crate) const VERSION: &str = "0.1.0";

module! {
    type: Ckpt,
    name: "ckpt",
    authors: ["The ckpt authors"],
    description: "Checkpoint and restart of running programs",
    license: "GPL",
}

#[pin_data]
struct Ckpt {
    #[pin]
    device: MiscDeviceRegistration<device::Device>,
    /// Dropped after the device: no new task can park then.
    _quiesce: wrapper::park::Quiesce,
}

impl kernel::InPlaceModule for Ckpt {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _: { wrapper::symbol::resolve()? },
            device <- MiscDeviceRegistration::register(MiscDeviceOptions { name: c"ckpt" }),
            _quiesce: wrapper::park::Quiesce,
        })
    }
}
