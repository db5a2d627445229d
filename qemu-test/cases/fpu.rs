// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind fpu: x87, SSE and AVX state.

use super::{busy, quiet};
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        busy("fpu_registers", &["loop"]).case("fpu/keeps_registers_in_user_mode"),
        quiet("fpu_registers", &["sleep"]).case("fpu/keeps_registers_across_a_system_call"),
    ]
}
