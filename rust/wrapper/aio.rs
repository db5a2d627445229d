// SPDX-License-Identifier: GPL-2.0

//! Contexts of asynchronous I/O.
//!
//! C source: `fs/aio.c`

use super::{
    bindings,
    mm::Mm,
    to_result, //
};
use kernel::prelude::*;

/// A context: place and size of its ring, what is in it, and what is under way.
pub(crate) type Context = bindings::ckpt_aio;

/// What came of a request.
pub(crate) type Event = bindings::io_event;

/// The first context of an address space whose index is not below this. `EINTR` on a fatal signal.
pub(crate) fn first_from(mm: &Mm, mut index: u32) -> Result<Option<Context>> {
    let mut context = Context::default();
    // SAFETY: the mm is alive; the helper keeps a context while it looks at it.
    let found = unsafe { bindings::ckpt_aio_next(mm.as_ptr(), &mut index, &mut context) };
    Ok((to_result(found as isize)? > 0).then_some(context))
}

/// All contexts of an address space, by address. `EINTR` on a fatal signal.
pub(crate) fn contexts(mm: &Mm) -> Result<KVVec<Context>> {
    let mut out = KVVec::new();
    let mut from = 0;
    while let Some(context) = first_from(mm, from)? {
        from = context.index.saturating_add(1);
        out.push(context, GFP_KERNEL_ACCOUNT)?;
    }
    out.sort_unstable_by_key(|c: &Context| c.address);
    Ok(out)
}

/// Copies events of the context with that index, from slot `first` on. `ENOENT` when there is none, `EINTR` on a fatal signal.
pub(crate) fn events(mm: &Mm, index: u32, first: u32, out: &mut [Event]) -> Result {
    // SAFETY: the mm is alive; the buffer has that many entries.
    let ret = unsafe { bindings::ckpt_aio_events(mm.as_ptr(), index, first, out.as_mut_ptr(), out.len() as u32) };
    kernel::error::to_result(ret)
}

/// Lets a context that has never been used go on from this slot. `ENOENT` when there is none, `EINVAL` when it has been used, or has no
/// such slot.
pub(crate) fn start_at(mm: &Mm, index: u32, first: u32) -> Result {
    // SAFETY: the mm is alive; the helper locks and checks.
    kernel::error::to_result(unsafe { bindings::ckpt_aio_start_at(mm.as_ptr(), index, first) })
}

/// Adds events, as if as many requests had completed. `ENOENT` when there is no context, `EINVAL` when it has no room for them, or the
/// next of its slots is not `first`.
pub(crate) fn complete(mm: &Mm, index: u32, first: u32, events: &[Event]) -> Result {
    // SAFETY: the mm is alive; the buffer has that many entries; the helper locks and checks.
    let ret = unsafe { bindings::ckpt_aio_complete(mm.as_ptr(), index, first, events.as_ptr(), events.len() as u32) };
    kernel::error::to_result(ret)
}
