// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `STATEFILE.md` has every record type with its number, and every field of every record.

use ckpt_uapi::record::RecordType;
use std::fs;
use std::path::Path;

const SPECIFICATION: &str = include_str!("../STATEFILE.md");

#[test]
fn every_type_has_a_section() {
    for kind in RecordType::ALL {
        let heading = format!("\n### {:#04x} {}\n", kind.number(), kind.name());
        assert!(SPECIFICATION.contains(&heading), "{}", heading.trim());
    }
}

#[test]
fn every_field_is_described() {
    let records = Path::new(env!("CARGO_MANIFEST_DIR")).join("record");
    for entry in fs::read_dir(records).unwrap() {
        let path = entry.unwrap().path();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let Some(field) = line.strip_prefix("    pub ").and_then(|line| line.split_once(": ")) else {
                continue;
            };
            if field.0.contains(' ') {
                // A constant.
                continue;
            }
            assert!(
                SPECIFICATION.contains(&format!("`{}`", field.0)),
                "{}: {}",
                path.display(),
                field.0
            );
        }
    }
}
