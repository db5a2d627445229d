// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Whole or nothing: whoever dies, and whenever, a target goes on unharmed or is gone without a trace.

mod cycles;
mod family;
mod freeze;
mod kill;
mod output;
mod races;
mod stress;

pub use family::restart as killed_family;
pub use freeze::storm;
pub use kill::restart as killed_restart;
pub use races::threads_come_and_go;

use harness::Case;

/// Every case below this.
pub fn all() -> Vec<Case> {
    vec![
        Case::new("robust/checkpoint_killed_at_50_moments", kill::checkpoint).limit(400),
        Case::new("robust/restart_killed_at_50_moments", kill::restart).limit(400),
        Case::new("robust/checkpoint_of_a_family_killed_100_times", family::checkpoint).limit(300),
        Case::new("robust/restart_of_a_family_killed_100_times", family::restart).limit(300),
        Case::new("robust/a_thousand_cycles_leak_nothing", cycles::leak_nothing).limit(900),
        Case::new("robust/killed_freezer_thaws", freeze::killed_freezer),
        Case::new("robust/frozen_target_can_be_killed", freeze::killed_target),
        Case::new("robust/parent_notices_nothing", freeze::parent_notices_nothing),
        Case::new("robust/freeze_and_thaw_in_a_storm_of_threads", freeze::storm).limit(240),
        Case::new("robust/full_file_system", output::full_file_system),
        Case::new("robust/closed_pipe", output::closed_pipe),
        Case::new("robust/reader_goes_away", output::reader_goes_away),
        Case::new("robust/two_at_once", races::two_at_once),
        Case::new("robust/target_ends_meanwhile", races::target_ends),
        Case::new("robust/target_executes_meanwhile", races::target_executes),
        Case::new("robust/forks_and_vforks_meanwhile", stress::forks).limit(300),
        Case::new("robust/check_while_it_forks", stress::checks),
        Case::new("robust/clones_meanwhile", stress::clones).limit(300),
        Case::new("robust/threads_come_and_go_meanwhile", races::threads_come_and_go).limit(240),
    ]
}
