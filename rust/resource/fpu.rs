// SPDX-License-Identifier: GPL-2.0

//! Extended processor state: x87, SSE, AVX, AVX-512, protection key rights.
//!
//! Saved: everything that the xstate regset holds, with the features it was made with.
//! Refused on restart: features that this machine does not have, AMX tiles.
//! Shown by: fpu/.
//!
//! Record: [`ckpt_uapi::record::fpu`].  C header: `include/linux/regset.h`

use super::{Dump, FrozenTask, Resource, Restore, Scope, Target};
use crate::{error::Result, wrapper::regset};
use ckpt_uapi::record::{
    fpu::{Fpu, SIZE_MAX},
    Record, RecordType,
};
use kernel::prelude::*;

pub(crate) struct FpuRoom;

/// Offset and length of the XSAVE header in the state: XSTATE_BV, XCOMP_BV, reserved.
const XSTATE_BV: usize = 512;
/// XTILEDATA (AMX): needs permission first, which this version does not ask for.
const XFEATURES_DYNAMIC: u64 = 1 << 18;
/// Legacy area and header: the least that is an xstate.
const MIN: usize = 576;

impl Resource for FpuRoom {
    const RECORDS: &'static [RecordType] = &[Fpu::TYPE];
    const SCOPE: Scope = Scope::Task;

    fn dump(_target: &Target<'_>, task: &FrozenTask<'_>, dump: &mut Dump<'_>) -> Result {
        let (state, xfeatures) = regset::xstate(task.task)?;
        let fixed = Fpu {
            xfeatures,
            size: state.len() as u32,
            reserved: 0,
        };
        dump.out.record_with(&fixed, &state[..])
    }

    fn restore(_kind: RecordType, restore: &mut Restore<'_>) -> Result {
        let r: Fpu = restore.input.fixed()?;
        let state = restore.input.variable();
        if state.len() != r.size as usize || r.size > SIZE_MAX || state.len() < MIN {
            return Err(restore
                .input
                .bad(EBADMSG, format_args!("wrong size of processor state")));
        }
        let mut word = [0; 8];
        word.copy_from_slice(&state[XSTATE_BV..XSTATE_BV + 8]);
        let used = u64::from_le_bytes(word);
        let here = regset::xcr0();
        let dynamic = used & XFEATURES_DYNAMIC != 0 && state.len() > regset::sigframe_size();
        if used & !here != 0 || dynamic || state.len() as u32 > regset::xstate_size() {
            return Err(restore.input.bad(
                EPROTONOSUPPORT,
                format_args!(
                    "the program uses processor features {:#x} that this machine lacks",
                    used & !here
                ),
            ));
        }
        if used & !r.xfeatures != 0 {
            return Err(restore.input.bad(
                EBADMSG,
                format_args!("processor state has features it does not announce"),
            ));
        }
        let mut copy = KVec::with_capacity(state.len(), GFP_KERNEL_ACCOUNT)?;
        copy.extend_from_slice(state, GFP_KERNEL_ACCOUNT)?;
        restore.late.xstate = Some((copy, r.xfeatures & here));
        Ok(())
    }
}
