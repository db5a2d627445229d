// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! `STATEFILE.md` has every record type with its number, every field of every record where that is described, and no reference that leads
//! nowhere.

use ckpt_uapi::record::RecordType;
use std::collections::HashSet;
use std::fs;
use std::path::Path;

const SPECIFICATION: &str = include_str!("../STATEFILE.md");

fn heading(kind: RecordType) -> String {
    format!("{:#04x} {}", kind.number(), kind.name())
}

/// What is said about a type.
fn section(kind: RecordType) -> &'static str {
    let begin = format!("\n### {}\n", heading(kind));
    let Some((_, rest)) = SPECIFICATION.split_once(&begin) else {
        panic!("there is no section {}", heading(kind))
    };
    rest.split("\n##").next().unwrap_or(rest)
}

/// The public fields of a struct.
fn fields<'a>(source: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!("\npub struct {name} {{\n");
    let (_, rest) = source.split_once(&begin).unwrap();
    let body = rest.split_once("\n}\n").unwrap().0;
    let lines = body.lines().filter_map(|line| line.trim().strip_prefix("pub "));
    lines.map(|line| line.split_once(':').unwrap().0).collect()
}

#[test]
fn every_type_has_a_section() {
    for kind in RecordType::ALL {
        assert!(!section(*kind).is_empty(), "{}", heading(*kind));
    }
}

#[test]
fn every_field_is_described() {
    let records = Path::new(env!("CARGO_MANIFEST_DIR")).join("record");
    let mut described = 0;
    for entry in fs::read_dir(records).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in source.lines().filter_map(|line| line.strip_prefix("record!(")) {
            let mut words = line.split(", ");
            let (name, kind) = (words.next().unwrap(), words.next().unwrap());
            let found = RecordType::ALL.iter().find(|known| format!("{known:?}") == kind);
            let kind = *found.unwrap();
            for field in fields(&source, name) {
                assert!(
                    section(kind).contains(&format!("`{field}`")),
                    "{}: {field}",
                    heading(kind)
                );
                described += 1;
            }
        }
        for line in source.lines().filter_map(|line| line.strip_prefix("entry!(")) {
            for field in fields(&source, line.split(", ").next().unwrap()) {
                assert!(SPECIFICATION.contains(&format!("`{field}`")), "{line}: {field}");
            }
        }
    }
    assert!(described > RecordType::ALL.len(), "no field was found");
}

#[test]
fn every_reference_leads_somewhere() {
    let headings = SPECIFICATION.lines().filter(|line| line.starts_with('#'));
    let anchors: HashSet<String> = headings
        .map(|line| {
            let text = line.trim_start_matches('#').trim().to_lowercase();
            let kept = text.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect();
    for reference in SPECIFICATION.split("](#").skip(1) {
        let anchor = reference.split(')').next().unwrap();
        assert!(anchors.contains(anchor), "#{anchor}");
    }
}
