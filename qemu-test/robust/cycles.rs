// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A thousand checkpoints and restarts leave nothing behind.

use harness::case::During;
use harness::process::wait_until;
use harness::{ensure, Context, Program, Result};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// What comes back again and again: processes with sockets, IPC objects, terminals, events, files without names.
const SERVERS: &[&[&str]] = &[
    &["socket_tree"],
    &["shm_attached"],
    &["sem_undo"],
    &["pty_kept"],
    &["fd_events"],
    &["file_deleted"],
];
/// Of each. The first ones fill caches.
const WARM: usize = 10;
const CYCLES: usize = 167;
/// Objects of one cache that others may have made meanwhile: less than one in each cycle.
const NOISE: u64 = CYCLES as u64 / 2;

/// What the kernel has of each kind.
fn objects() -> BTreeMap<String, u64> {
    let _ = fs::write("/proc/sys/vm/drop_caches", "3");
    let mut objects = BTreeMap::new();
    let slabs = fs::read_to_string("/proc/slabinfo").unwrap_or_default();
    for line in slabs.lines().skip(2) {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(Ok(active))) = (words.next(), words.next().map(str::parse)) {
            // What has been freed is kept for a while: these are counted below.
            if name != "vmap_area" {
                objects.insert(format!("slab {name}"), active);
            }
        }
    }
    let areas = fs::read_to_string("/proc/vmallocinfo").unwrap_or_default();
    let used = areas.lines().filter(|line| !line.contains("unpurged"));
    objects.insert("vmalloc".into(), used.count() as u64);
    for kind in ["shm", "sem", "msg"] {
        let list = fs::read_to_string(format!("/proc/sysvipc/{kind}")).unwrap_or_default();
        objects.insert(format!("ipc {kind}"), list.lines().count() as u64 * NOISE);
    }
    let terminals = fs::read_dir("/dev/pts").map_or(0, Iterator::count);
    objects.insert("terminals".into(), terminals as u64 * NOISE);
    let references = harness::suite::references().unwrap_or(0);
    objects.insert("references to the module".into(), u64::from(references) * NOISE);
    objects
}

/// What there is more of than before, by more than noise.
fn grown(before: &BTreeMap<String, u64>) -> String {
    let more = objects().into_iter().filter_map(|(name, now)| {
        let then = before.get(&name).copied().unwrap_or(0);
        (now >= then + NOISE).then(|| format!("{name}: {then}, then {now}"))
    });
    more.collect::<Vec<_>>().join("; ")
}

pub fn leak_nothing(context: &Context) -> Result {
    for server in SERVERS {
        cycles(context, server).during(server[0])?;
    }
    Ok(())
}

fn cycles(context: &Context, server: &[&str]) -> Result {
    let file = context.path("server.ckpt");
    // That of the server before.
    let _ = fs::remove_file(context.path("go"));
    let mut target = Program::own(context, server[0]).args(&server[1..]).start()?;
    target.wait_ready()?;
    let mut before = BTreeMap::new();
    for cycle in 0..WARM + CYCLES {
        if cycle == WARM {
            before = objects();
        }
        let _ = fs::remove_file(&file);
        target.checkpoint_kill(&file).during(format!("cycle {cycle}"))?;
        target.restart(&file).during(format!("cycle {cycle}"))?;
    }
    // Much is freed late.
    let clean = wait_until(Duration::from_secs(20), || grown(&before).is_empty().then_some(()));
    ensure!(
        clean.is_some(),
        "there is more after {CYCLES} cycles: {}",
        grown(&before)
    );
    target.finish()
}
