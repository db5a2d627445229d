// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The reader of statefiles takes any bytes: as they are, and behind right checksums.
//!
//! What it accepts it accepts again after the parts were put together anew.
#![no_main]

use libckpt::statefile::verify;
use libckpt::testing::{sample, Statefile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let accepted = verify(bytes).is_ok();
    if let Some(statefile) = Statefile::parse(bytes) {
        let again = verify(&statefile.encode()[..]).is_ok();
        assert!(again || !accepted, "accepted, but not as written anew");
    }
    // The bytes as orders to change a sound statefile: record, place, value.
    let mut statefile = sample();
    for order in bytes.chunks_exact(4) {
        let count = statefile.records.len();
        let part = &mut statefile.records[usize::from(order[0]) % count];
        match order[1] {
            0xff => part.fixed = u32::from(order[2]) << 8 | u32::from(order[3]),
            0xfe => part.body.truncate(order[2].into()),
            at => {
                if let Some(byte) = part.body.get_mut(usize::from(at) << 4 | usize::from(order[2] & 15)) {
                    *byte = order[3];
                }
            }
        }
    }
    let _ = verify(&statefile.encode()[..]);
});
