// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind regs: user registers.

use super::{busy, quiet};
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        busy("regs_gprs", &[]).case("regs/keeps_general_registers_and_flags"),
        quiet("regs_segment_base", &[]).case("regs/keeps_segment_bases_of_threads"),
    ]
}
