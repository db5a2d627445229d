// SPDX-License-Identifier: GPL-2.0
//! Throw-away: shows that the build works.

use kernel::{
    fs::File,
    miscdevice::{MiscDevice, MiscDeviceOptions, MiscDeviceRegistration},
    prelude::*,
};

module! {
    type: Ckpt,
    name: "ckpt",
    authors: ["ckpt"],
    description: "checkpoint and restart of running programs",
    license: "GPL",
}

#[pin_data]
struct Ckpt {
    #[pin]
    dev: MiscDeviceRegistration<Dev>,
}

impl kernel::InPlaceModule for Ckpt {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pr_info!(
            "hello, abi {}, task_struct {}, page {}\n",
            ckpt_uapi::ABI_VERSION,
            core::mem::size_of::<ckpt_bindings::task_struct>(),
            ckpt_bindings::TEST_PAGE,
        );
        try_pin_init!(Self {
            dev <- MiscDeviceRegistration::register(MiscDeviceOptions { name: c"ckpt" }),
        })
    }
}

struct Dev;

#[vtable]
impl MiscDevice for Dev {
    type Ptr = Pin<KBox<Self>>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Pin<KBox<Self>>> {
        Ok(KBox::pin(Dev, GFP_KERNEL)?)
    }

    fn ioctl(_me: Pin<&Dev>, _file: &File, _cmd: u32, _arg: usize) -> Result<isize> {
        let t = kernel::current!().as_ptr().cast();
        // SAFETY: `t` is the current task.
        Ok(unsafe { ckpt_bindings::ckpt_helper_hello(t) } as isize)
    }
}
