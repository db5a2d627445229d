// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The test suite: `/ckpt/cases` in the guest.

mod cases;
mod hostile;
mod pm;
mod refuse;
mod robust;
mod security;
mod smp;

use harness::Case;
use std::process::ExitCode;

fn all() -> Vec<Case> {
    [
        cases::all(),
        refuse::all(),
        robust::all(),
        security::all(),
        hostile::all(),
        smp::all(),
        pm::all(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn main() -> ExitCode {
    harness::suite::main(all())
}

#[cfg(test)]
mod tests {
    /// The page is made from the heads of the rooms; what it says has cases that are there.
    #[test]
    fn every_kind_of_the_support_page_is_shown_by_cases() {
        let page = include_str!("../docs/SUPPORT.md");
        let names: Vec<String> = super::all().into_iter().map(|case| case.name).collect();
        for section in page.split("\n## ").skip(1) {
            let (title, text) = section.split_once('\n').expect("a section has a title");
            let Some((_, shown)) = text.split_once("- **Shown by:**") else {
                assert!(!text.contains("- **Saved:**"), "{title}: shown by no case");
                continue;
            };
            // Up to the end of the entry.
            let shown = shown.split("\n\n").next().unwrap_or(shown);
            for begin in shown.split([',', '\n']).map(|word| word.trim().trim_end_matches('.')) {
                assert!(
                    begin.is_empty() || names.iter().any(|name| name.starts_with(begin)),
                    "{title}: no case begins with {begin}"
                );
            }
        }
    }
}
