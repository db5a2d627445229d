// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind run: jobs under a load manager. The case is the load manager, in the last one it is Slurm.

mod asked;
mod job;
mod killed;
mod resume;
mod slurm;
mod transparent;

use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        Case::new("run/ends_as_the_job_does", transparent::ends),
        Case::new("run/cannot_execute", transparent::cannot_execute),
        Case::new("run/hands_every_signal_on", transparent::every_signal),
        Case::new("run/a_signal_for_the_group_comes_once", transparent::group_signal),
        Case::new("run/stops_and_continues", transparent::stops),
        Case::new("run/leaves_stdio_alone", transparent::stdio),
        Case::new("run/keeps_what_is_ignored", transparent::ignored),
        Case::new("run/saves_now_and_then", asked::every).limit(180),
        Case::new("run/saves_at_signals", asked::on).limit(180),
        Case::new("run/loses_no_signal", asked::no_signal_is_lost).limit(180),
        Case::new("run/gives_up_at_the_deadline", asked::deadline).limit(180),
        Case::new("run/a_failed_checkpoint_does_no_harm", asked::failed),
        Case::new("run/has_a_name", asked::name),
        Case::new("run/asks_hooks", asked::hooks),
        Case::new("run/resumes", resume::resumes),
        Case::new("run/begins_anew_after_damage", resume::damaged),
        Case::new("run/does_not_begin_anew_beside_a_sound_statefile", resume::pid_in_use),
        Case::new("run/resumes_where_pids_are_taken", resume::pidns),
        Case::new("run/resumes_as_nobody", resume::nobody).limit(180),
        Case::new("run/resumes_with_orphans", resume::orphans).limit(240),
        Case::new("run/takes_an_orphan_for_itself", resume::one_orphan),
        Case::new("run/names_what_is_no_job", resume::no_job),
        Case::new("run/resumes_openmp", resume::openmp).limit(240),
        Case::new("run/is_killed_at_any_moment", killed::run).limit(300),
        Case::new("run/its_checkpoint_is_killed_at_any_moment", killed::checkpoint).limit(300),
        Case::new("run/its_deadline_comes_at_any_moment", killed::deadline).limit(300),
        Case::new("run/slurm", slurm::requeues).limit(600),
    ]
}
