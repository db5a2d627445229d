// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind ns: namespaces.

mod network;
pub mod rootless;

use super::quiet;
use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{children, status_field, wait_until, PATIENCE};
use harness::{ensure, fail, skip, Case, Context, Program, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        quiet("ns_names", &[]).case("ns/keeps_uts_and_ipc"),
        quiet("ns_nested", &[])
            .case("ns/keeps_nested_user_namespaces")
            .limit(120),
        Case::new("ns/keeps_nested_user_namespaces_of_a_rootless_container", |context| {
            rootless::program_by_user(context, "ns_nested")
        })
        .limit(180),
        Case::new("ns/keeps_a_sandbox_of_bubblewrap", sandbox).limit(120),
        Case::new("ns/keeps_mounts_and_the_contents_of_a_tmpfs", mounts),
        Case::new("ns/keeps_a_mount_that_comes_from_elsewhere", mount_from_elsewhere),
        Case::new("ns/mounts_are_not_led_elsewhere", mounts_not_led),
        Case::new("ns/shows_a_part_of_a_tmpfs", part_of_tmpfs),
        Case::new("ns/keeps_an_overlay", overlay).limit(120),
        Case::new("ns/keeps_a_container_with_an_overlay_as_root", overlay_root).limit(120),
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

/// All namespaces of bwrap(1), whose monitor stays outside of them.
fn sandbox(context: &Context) -> Result {
    if !std::path::Path::new("/usr/bin/bwrap").exists() {
        skip!("bwrap is not installed");
    }
    let file = context.path("sandbox.ckpt");
    let script =
        "echo ready; while [ ! -e $CKPT_GO ]; do sleep 0.05; done; [ $(id -u) = 1234 ] && [ $$ -lt 10 ] && echo OK";
    let dir = context.dir().display().to_string();
    let words = [
        &[
            "bwrap",
            "--unshare-all",
            "--uid",
            "1234",
            "--ro-bind",
            "/",
            "/",
            "--tmpfs",
            "/tmp",
        ],
        &[
            "--proc", "/proc", "--dev", "/dev", "--bind", &dir, &dir, "sh", "-c", script,
        ][..],
    ]
    .concat();
    let go = context.path("go");
    let program = Program::command(context, &words).env("CKPT_GO", &go.display().to_string());
    let mut target = program.start()?;
    target.wait_ready()?;
    target.comes_back_twice(&file)?;
    fs::write(go, "")?;
    target.wait_good_end()
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

/// Whoever may write to a directory that is mounted puts a symbolic link into the way, to a place where there is the like.
fn mounts_not_led(context: &Context) -> Result {
    let file = context.path("mounts.ckpt");
    for dir in ["old/from", "there/point", "else/from", "else/point"] {
        fs::create_dir_all(context.path(dir))?;
    }
    fs::write(context.path("old/from/file"), "good")?;
    let script = [
        "import os, subprocess, time",
        "subprocess.run(['mount', '--bind', 'old/from', 'there/point'], check=True)",
        "print('ready', flush=True)",
        "while not os.path.exists('go'): time.sleep(0.02)",
        "assert open('there/point/file').read() == 'good'",
        "print('OK', flush=True)",
    ]
    .join("\n");
    let program = Program::command(context, &["unshare", "-m", "python3", "-c", &script]).cwd(context.dir());
    let mut target = program.start()?;
    target.wait_ready()?;
    target.checkpoint_kill(&file)?;
    let restart = || {
        let mut command = ckptctl::command(&["restart", "--detach"]);
        ckptctl::finish(command.arg(&file))
    };
    for name in ["old", "there"] {
        fs::rename(context.path(name), context.path("kept"))?;
        std::os::unix::fs::symlink("else", context.path(name))?;
        let done = restart()?.expect(exit::FAILED).during("restart")?;
        done.names(&["cannot mount"]).during("restart")?;
        fs::remove_file(context.path(name))?;
        fs::rename(context.path("kept"), context.path(name))?;
    }
    restart()?.expect(exit::DONE).during("restart")?;
    target.revived();
    fs::write(context.path("go"), "")?;
    target.wait_good_end()
}

/// What is not mounted, or mounted over, is not for a user who may trace the program: a tmpfs is saved as a whole.
fn part_of_tmpfs(context: &Context) -> Result {
    rootless::open_up("/dev/ckpt")?;
    fs::set_permissions(context.dir(), fs::Permissions::from_mode(0o777))?;
    for name in ["whole", "shown"] {
        fs::create_dir(context.path(name))?;
    }
    let program = "import os, time
print('ready', flush=True)
while not os.path.exists('go'): time.sleep(0.02)
print('OK', flush=True)";
    for (mounts, hides) in [
        ("true", false),
        ("mount --bind whole/sub shown && umount whole", true),
        ("mount -t tmpfs none whole/sub", true),
    ] {
        let script = format!(
            "mount -t tmpfs own whole && mkdir whole/sub && {mounts} &&
            exec setpriv --reuid=1000 --regid=1000 --clear-groups python3 -c \"$0\""
        );
        let words = ["unshare", "-m", "sh", "-c", &script, program];
        let mut target = Program::command(context, &words).cwd(context.dir()).start()?;
        target.wait_ready()?;
        let pid = target.pid.to_string();
        let by_user = ckptctl::finish(&mut rootless::by(rootless::USER, &["check", &pid]))?;
        ensure!(
            by_user.names(&["type tmpfs", "hide"]).is_ok() == hides,
            "{mounts}: check says {by_user:?}"
        );
        ckptctl::run(&["check", &pid])?
            .expect(exit::DONE)
            .during("check by root")?;
        fs::write(context.path("go"), "")?;
        target.wait_good_end()?;
        fs::remove_file(context.path("go"))?;
    }
    Ok(())
}

/// Files of both layers: read, written, mapped, executed, made and removed before and after.
const OVERLAY: &str = r#"
import mmap, os, subprocess, sys, time

def run(*words):
    subprocess.run(words, check=True)

def exists(*names):
    return [os.path.exists("merged/" + name) for name in names]

os.chdir(sys.argv[1])
layers = f'lowerdir="{os.getcwd()}/top, one:{os.getcwd()}/bottom",upperdir=upper,workdir=work'
run("mount", "-t", "overlay", "-o", layers, "over", "merged")
run("mount", "--bind", "merged/dir", "bound")
below, above = open("merged/below"), open("merged/above", "a")
assert below.read(2) == "be"
copied = open("merged/copied", "r+")
copied.write("COPIED")
copied.flush()
mapped = mmap.mmap(os.open("merged/below", os.O_RDONLY), 0, prot=mmap.PROT_READ)
os.unlink("merged/removed")
open("bound/new", "w").write("new")
above.write("before")
above.flush()
program = subprocess.Popen(["merged/sleep", "1000"])
subprocess.run(["grep", "-q", "overlay", "/proc/self/mounts"], check=True)
time.sleep(0.2)
print("ready", flush=True)
while not os.path.exists(os.environ["CKPT_GO"]):
    time.sleep(0.02)
assert below.read() == "low" and mapped[:] == b"below"
assert exists("removed", "hidden", "dir/new", "copied") == [False, True, True, True]
assert open("merged/hidden").read() == "top"
above.write(" after")
above.close()
assert open("merged/above").read() == "before after"
assert open("upper/copied").read() == "COPIED and more" and open("bottom/copied").read() == "copied and more"
open("bound/last", "w").close()
os.unlink("merged/below")
assert os.path.exists("upper/dir/last") and os.path.exists("bottom/below") and not exists("below")[0]
assert program.poll() is None
program.kill()
run("umount", "bound")
print("OK", flush=True)
"#;

/// An overlay that the caller does not see is mounted anew, from where its layers are then; never while another one has them.
fn overlay(context: &Context) -> Result {
    let file = context.path("overlay.ckpt");
    for dir in ["top, one", "bottom", "bottom/dir", "upper", "work", "merged", "bound"] {
        fs::create_dir(context.path(dir))?;
    }
    for (name, text) in [
        ("bottom/below", "below"),
        ("bottom/copied", "copied and more"),
        ("bottom/removed", "removed"),
        ("bottom/hidden", "bottom"),
        ("top, one/hidden", "top"),
    ] {
        fs::write(context.path(name), text)?;
    }
    fs::copy("/bin/sleep", context.path("top, one/sleep"))?;
    let directory = context.dir().display().to_string();
    let words = ["unshare", "-m", "python3", "-c", OVERLAY, &directory];
    let mut target = Program::command(context, &words).start()?;
    target.wait_ready()?;
    target.checkpoint(&file).during("left running")?;
    let mut copy = ckptctl::command(&["restart", "--detach", "--new-pidns"]);
    ckptctl::finish(copy.arg(&file))?
        .expect(exit::FAILED)?
        .names(&["another overlay has", "upper"])?;
    for _ in 0..2 {
        fs::remove_file(&file)?;
        target.checkpoint_kill(&file)?;
        target.restart(&file)?;
    }
    fs::remove_file(&file)?;
    target.checkpoint_kill(&file)?;
    fs::rename(context.path("top, one"), context.path("elsewhere"))?;
    let external = format!("mnt[{directory}/top, one]={directory}/elsewhere");
    for (words, expected) in [(&[][..], exit::FAILED), (&["--external", &external], exit::DONE)] {
        let mut command = ckptctl::command(&["restart", "--detach"]);
        let done = ckptctl::finish(command.arg(&file).args(words))?.expect(expected)?;
        if expected == exit::FAILED {
            done.names(&["there is no layer"])?;
            harness::process::reap_zombies();
        }
    }
    target.revived();
    fs::write(context.path("go"), "")?;
    target.wait_good_end()
}

/// The program of a container lives on an overlay with all that it has mapped.
fn overlay_root(context: &Context) -> Result {
    let file = context.path("container.ckpt");
    for dir in ["upper", "work", "merged"] {
        fs::create_dir(context.path(dir))?;
    }
    let script = r#"set -e
        mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work over merged
        mount --bind . merged/mnt; mount --bind /dev merged/dev; mount -t proc proc merged/proc
        cd merged; pivot_root . .; umount -l .; cd /
        exec </dev/null >/mnt/said 2>&1
        exec python3 -c "
import os, subprocess, time
open('/made', 'w').write('here')
program = subprocess.Popen(['sleep', '1000'])
time.sleep(0.2)
print('ready', flush=True)
while not os.path.exists('/mnt/go'):
    time.sleep(0.02)
assert open('/made').read() == 'here' and program.poll() is None and os.getpid() == 1
import json, sqlite3
subprocess.run(['true'], check=True)
print('OK', flush=True)
""#;
    let mut command = std::process::Command::new("unshare");
    let words = ["--pid", "--fork", "--mount", "--kill-child", "bash", "-c", script];
    let mut launcher = command.args(words).current_dir(context.dir()).spawn()?;
    let says = |line: &str| {
        let said = || fs::read_to_string(context.path("said")).unwrap_or_default();
        let found = wait_until(PATIENCE, || said().lines().any(|have| have == line).then_some(()));
        ensure!(found.is_some(), "it says {}", said());
        Ok(())
    };
    says("ready")?;
    let name = file.display().to_string();
    let save = |launcher: &mut std::process::Child| {
        let Some(init) = children(launcher.id() as i32).first().copied() else {
            fail!("there is no container")
        };
        ckptctl::run(&["checkpoint", "--container", &init.to_string(), "-o", &name, "--kill"])?.expect(exit::DONE)?;
        launcher.wait()?;
        Ok(())
    };
    save(&mut launcher)?;
    for _ in 0..2 {
        let mut restart = ckptctl::restart_foreground(&file, &[])?;
        let lives = || {
            let init = *children(restart.id() as i32).first()?;
            children(init)
                .into_iter()
                .find(|pid| status_field(*pid, "Name").is_some_and(|name| name.trim() == "sleep"))
        };
        ensure!(wait_until(PATIENCE, lives).is_some(), "it does not come back");
        save(&mut restart)?;
    }
    let mut restart = ckptctl::restart_foreground(&file, &[])?;
    fs::write(context.path("go"), "")?;
    says("OK")?;
    let status = restart.wait()?;
    ensure!(status.success(), "it ended with {status}");
    ensure!(context.path("upper/made").exists(), "the upper layer is another one");
    Ok(())
}
