// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind mm: the address space.

mod deleted_program;
pub mod huge;
mod in_flight;
mod sparse;
mod swap;

use super::quiet;
use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("mm_anon", &[]).case("mm/keeps_anonymous_memory"),
        quiet("mm_stack_brk", &[]).case("mm/grows_stack_and_heap"),
        quiet("mm_file", &[]).case("mm/keeps_file_mappings"),
        quiet("aio_contexts", &[])
            .case("mm/keeps_contexts_of_asynchronous_io")
            .limit(120),
        Case::new("mm/request_in_flight_is_waited_for", in_flight::is_waited_for).limit(90),
        Case::new("mm/request_of_io_uring_is_refused", in_flight::of_io_uring).limit(90),
        Case::new(
            "mm/request_of_io_uring_does_not_hold_up_an_exec",
            in_flight::of_io_uring_in_exec,
        )
        .limit(120),
        quiet("mm_prctl", &[]).case("mm/keeps_merging_huge_pages_and_mdwe"),
        quiet("mm_prctl", &["child"]).case("mm/keeps_merging_huge_pages_and_mdwe_of_a_child"),
        quiet("mm_advice", &[]).case("mm/keeps_advice_locks_and_names"),
        quiet("mm_advice", &["lockall"]).case("mm/keeps_lock_of_the_future"),
        quiet("mm_guard_seal", &["guard"]).case("mm/keeps_guard_regions"),
        quiet("mm_guard_seal", &["seal"]).case("mm/keeps_seals"),
        quiet("mm_vdso", &[]).case("mm/vdso_tells_the_time"),
        quiet("mm_many", &["6000"])
            .case("mm/keeps_thousands_of_mappings")
            .limit(300),
        Case::new(
            "mm/sparse_terabyte_costs_what_is_present",
            sparse::costs_what_is_present,
        ),
        Case::new("mm/keeps_huge_pages", huge::private).limit(240),
        Case::new("mm/keeps_shared_huge_pages", huge::shared).limit(240),
        Case::new("mm/lack_of_huge_pages_for_a_file_is_said", huge::lacking_in_a_file).limit(120),
        Case::new("mm/lack_of_huge_pages_is_said", huge::lacking_at_once).limit(120),
        Case::new(
            "mm/lack_of_huge_pages_that_were_not_reserved_is_said",
            huge::lacking_late,
        )
        .limit(120),
        Case::new("mm/keeps_swapped_pages", swap::keeps_swapped_pages).limit(240),
        Case::new(
            "mm/changed_file_is_refused_unless_accepted",
            deleted_program::changed_file,
        ),
        Case::new("mm/missing_program_is_refused", deleted_program::missing),
        Case::new("mm/deleted_program_comes_back", deleted_program::deleted),
        Case::new("mm/upgraded_program_of_a_user_comes_back", deleted_program::upgraded),
    ]
}
