// SPDX-License-Identifier: GPL-2.0

//! The only code that touches statefile bytes. It knows records by their headers, and no kernel object but the file
//! and the pages that pass through.

mod reader;
mod writer;

pub(crate) use reader::Reader;
pub(crate) use writer::Writer;
