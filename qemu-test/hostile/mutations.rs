// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Ways to damage a statefile.

use libckpt::testing::Statefile;

/// Numbers that look like chance and are the same each time. CKPT_SEED chooses others.
pub struct Random(u64);

impl Random {
    pub fn new() -> Self {
        let seed = std::env::var("CKPT_SEED").ok().and_then(|seed| seed.parse().ok());
        Self(seed.unwrap_or(0x9e37_79b9_7f4a_7c15))
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Values of four bytes that break bounds, signs and flags, beside those near the old one.
fn values32(old: u32) -> [u32; 10] {
    let near = [old.wrapping_add(1), old.wrapping_sub(1), old ^ 0x8000_0000, old ^ 0x100];
    let far = [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX, 0xffff_f000];
    [
        near[0], near[1], near[2], near[3], far[0], far[1], far[2], far[3], far[4], far[5],
    ]
}

/// The same for eight bytes; among them the ends of user space and the beginning of the kernel's.
fn values64(old: u64) -> [u64; 12] {
    [
        old.wrapping_add(1),
        old.wrapping_sub(1),
        old.wrapping_add(4096),
        old.wrapping_neg(),
        old ^ (1 << 63),
        0,
        u64::MAX,
        1 << 63,
        0x7fff_ffff_f000,
        0x8000_0000_0000,
        0xffff_8000_0000_0000,
        0xffff_ffff_8100_0000,
    ]
}

/// One changed value in one record: a place and what is written there.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub record: usize,
    pub offset: usize,
    pub value: u64,
    pub wide: bool,
}

impl Change {
    /// Four bytes.
    pub fn of(record: usize, offset: usize, value: u32) -> Self {
        Self {
            record,
            offset,
            value: value.into(),
            wide: false,
        }
    }

    /// The statefile with this change.
    pub fn apply(self, file: &Statefile) -> Statefile {
        let mut file = file.clone();
        let length = if self.wide { 8 } else { 4 };
        file.records[self.record].body[self.offset..self.offset + length]
            .copy_from_slice(&self.value.to_le_bytes()[..length]);
        file
    }
}

/// Every change of a value in the fixed part of a record and in its first and last entries.
pub fn changes(file: &Statefile, record: usize) -> Vec<Change> {
    const ENDS: usize = 96;
    let part = &file.records[record];
    let length = part.body.len();
    let looked_at = |offset: usize| offset < part.fixed as usize + ENDS || offset + ENDS >= length;
    let mut found = Vec::new();
    for offset in (0..length.saturating_sub(3))
        .step_by(4)
        .filter(|offset| looked_at(*offset))
    {
        let old = u32::from_le_bytes(part.body[offset..offset + 4].try_into().unwrap_or_default());
        found.extend(values32(old).map(|value| Change {
            record,
            offset,
            value: value.into(),
            wide: false,
        }));
    }
    for offset in (0..length.saturating_sub(7))
        .step_by(8)
        .filter(|offset| looked_at(*offset))
    {
        let old = u64::from_le_bytes(part.body[offset..offset + 8].try_into().unwrap_or_default());
        found.extend(values64(old).map(|value| Change {
            record,
            offset,
            value,
            wide: true,
        }));
    }
    found
}
