// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Doors that are shut for whoever has access to the device, and nothing else. Each is tried once, and where somebody with the
//! right comes through, that is shown, too.

mod restart;
mod save;

use harness::ckptctl::{self, exit};
use harness::{ensure, Case, Result};
use libckpt::uapi::ioctl::DEVICE;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Every case below this.
pub fn all() -> Vec<Case> {
    vec![
        Case::new("security/another_users_program", save::another_users),
        Case::new("security/setuid_program", save::setuid),
        Case::new("security/program_that_may_not_be_read", save::unreadable),
        Case::new("security/setuid_program_executed_after_attach", save::setuid_meanwhile),
        Case::new("security/session_of_another_user", save::handed_over),
        Case::new("security/freeze_of_another_user", save::thaws),
        Case::new("security/statefile_is_private", save::private),
        Case::new("security/restart_as_another_user", restart::as_another_user),
        Case::new("security/restart_with_capabilities", restart::with_capabilities),
        Case::new("security/restart_opens_a_file", restart::opens_a_file),
        Case::new("security/restart_names_living_tasks", restart::names_living_tasks),
        Case::new("security/restart_joins_a_session", restart::joins_a_session),
        Case::new("security/restart_under_seccomp", restart::under_seccomp),
        Case::new("security/restart_drops_no_new_privs", restart::drops_no_new_privs),
        Case::new("security/restart_raises_a_limit", restart::raises_a_limit),
        Case::new("security/restart_takes_no_keys_along", restart::takes_no_keys_along),
    ]
}

fn mode(path: &Path, mode: u32) -> Result {
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

fn device_for_all() -> Result {
    mode(Path::new(DEVICE), 0o666)
}

/// The command fails, because something is not permitted, and says so.
fn not_permitted(command: &mut Command, names: &[&str]) -> Result {
    let done = ckptctl::finish(command)?;
    ensure!(
        done.code == exit::FAILED || done.code == exit::REFUSED,
        "{command:?}: exit status {}: {}{}",
        done.code,
        done.out,
        done.err
    );
    done.names(names)
}
