// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind ns: namespaces.

mod network;
pub mod rootless;

use super::quiet;
use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::{Case, Context, Program, Result};
use std::fs;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("ns_names", &[]).case("ns/keeps_uts_and_ipc"),
        Case::new("ns/keeps_mounts_and_the_contents_of_a_tmpfs", mounts),
        Case::new("ns/keeps_a_mount_that_comes_from_elsewhere", mount_from_elsewhere),
        quiet("ns_loopback", &["up"]).case("ns/keeps_a_loopback_device_that_is_up"),
        quiet("ns_loopback", &["down"]).case("ns/keeps_a_loopback_device_that_is_down"),
        quiet("ns_network", &["pair"])
            .case("ns/keeps_veth_pairs_in_two_network_namespaces")
            .limit(120),
        Case::new("ns/keeps_a_veth_pair_with_an_end_outside", network::outside).limit(120),
        Case::new("ns/warns_of_network_settings", network::settings),
        quiet("ns_clocks", &[]).case("ns/keeps_clocks_of_a_time_namespace"),
        Case::new("ns/keeps_a_rootless_container", rootless::by_root).limit(180),
        Case::new("ns/keeps_a_rootless_container_for_its_user", rootless::by_user).limit(180),
        Case::new("ns/keeps_groups_without_numbers", rootless::groups_without_numbers).limit(60),
        Case::new("ns/keeps_a_container_with_many_ids", rootless::many_ids).limit(180),
        Case::new("ns/keeps_who_has_entered_a_rootless_container", rootless::entered).limit(180),
        Case::new("ns/names_who_may_not_make_the_ids", rootless::not_by_others).limit(180),
    ]
}

/// Not by a table: seen from outside, files in a tmpfs that is made anew have other inode numbers.
fn mounts(context: &Context) -> Result {
    let file = context.path("mounts.ckpt");
    let program = Program::own(context, "ns_mounts").cwd(context.dir());
    let mut target = program.env("CKPT_GO", "/bound/go").start()?;
    target.wait_ready()?;
    target.comes_back_twice(&file)?;
    fs::write(context.path("go"), "")?;
    target.wait_good_end()
}

/// A directory of the caller's mounts has another path at restart.
fn mount_from_elsewhere(context: &Context) -> Result {
    let file = context.path("mounts.ckpt");
    let [old, new, point] = ["old", "new", "point"].map(|name| context.path(name));
    let (from, to) = (old.display().to_string(), new.display().to_string());
    for dir in [&old, &point] {
        fs::create_dir(dir)?;
    }
    let script = [
        "import os, subprocess, time",
        "subprocess.run(['mount', '--bind', os.environ['FROM'], os.environ['TO']], check=True)",
        "print('ready', flush=True)",
        "while not os.path.exists(os.environ['CKPT_GO']): time.sleep(0.02)",
        "assert open(os.environ['TO'] + '/file').read() == 'new'",
        "print('OK', flush=True)",
    ]
    .join("\n");
    let program = Program::command(context, &["unshare", "-m", "python3", "-c", &script]);
    let mut target = program
        .env("FROM", &from)
        .env("TO", &point.display().to_string())
        .start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    fs::rename(&old, &new)?;
    fs::write(new.join("file"), "new")?;
    for (external, expected) in [
        (None, exit::FAILED),
        (Some(format!("mnt[{from}x]={to}")), exit::FAILED),
        (Some(format!("mnt[{from}]={to}/none")), exit::FAILED),
        (Some(format!("mnt[{from}]={to}")), exit::DONE),
    ] {
        let mut command = ckptctl::command(&["restart", "--detach"]);
        command.arg(&file);
        if let Some(external) = external {
            command.args(["--external", &external]);
        }
        let done = ckptctl::finish(&mut command)?.expect(expected).during("restart")?;
        if expected == exit::FAILED {
            done.names(&["mount"]).during("restart")?;
        }
    }
    target.revived();
    fs::write(context.path("go"), "")?;
    target.wait_good_end()
}
