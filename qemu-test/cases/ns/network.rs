// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A network namespace with a veth pair whose other end is outside.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::{ensure, Context, Program, Result};
use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A command that has to succeed.
fn ip(args: &str) -> Result {
    let done = Command::new("ip").args(args.split(' ')).output()?;
    ensure!(
        done.status.success(),
        "ip {args}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(())
}

fn restart(file: &Path, external: &[&str]) -> Result<ckptctl::Done> {
    let mut command = ckptctl::command(&["restart", "--detach"]);
    command.arg(file);
    for text in external {
        command.args(["--external", text]);
    }
    ckptctl::finish(&mut command)
}

/// It is refused without a name for the other end, and with a wrong one; with one it has what it had.
pub fn outside(context: &Context) -> Result {
    let file = context.path("network.ckpt");
    let mut target = Program::own(context, "ns_network")
        .args(&["outside", "ckpth0"])
        .start()?;
    target.wait_ready()?;
    target.checkpoint(&file)?;
    for outer in ["ckpth1", "ckpth2"] {
        fs::remove_file(&file)?;
        target.checkpoint_kill(&file)?;
        let without: [&[&str]; 3] = [&[], &["veth[eth1]=ckpth9"], &["veth[eth]=ckpth9"]];
        for external in without {
            restart(&file, external)?
                .expect(exit::FAILED)
                .and_then(|done| done.names(&["eth0", "--external", "veth"]))
                .during("restart without a name")?;
        }
        restart(&file, &["veth[eth0]=ckpth9", "veth[eth1]=ckpth8"])?
            .expect(exit::FAILED)
            .and_then(|done| done.names(&["eth1"]))
            .during("restart with an answer too many")?;
        restart(&file, &["veth[eth0]=lo"])?
            .expect(exit::FAILED)
            .and_then(|done| done.names(&["eth0", "lo", "EEXIST|exists"]))
            .during("restart with a name that is taken")?;
        let name = format!("veth[eth0]={outer}");
        restart(&file, &[&name])?.expect(exit::DONE).during("restart")?;
        target.revived();
        let state = fs::read_to_string(format!("/sys/class/net/{outer}/flags"))?;
        ensure!(
            state.trim().ends_with("2"),
            "{outer} should be down, its flags are {state}"
        );
        ip(&format!("addr add 10.9.0.1/24 dev {outer}"))?;
        ip(&format!("link set {outer} up"))?;
    }
    let socket = UdpSocket::bind("10.9.0.1:4712")?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    fs::write(context.path("go"), "")?;
    target.wait_good_end()?;
    let mut word = [0; 8];
    let (length, from) = socket.recv_from(&mut word)?;
    ensure!(
        word.starts_with(b"hello") && length == 5 && from.ip().to_string() == "10.9.0.2",
        "{length} bytes from {from}"
    );
    Ok(())
}

/// Settings of a network namespace that are lost are named, and only those.
pub fn settings(context: &Context) -> Result {
    let mut target = Program::own(context, "tick").through(&["unshare", "--net"]).start()?;
    target.wait_ready()?;
    let pid = target.pid.to_string();
    let check = || ckptctl::run(&["check", &pid])?.expect(exit::DONE).during("check");
    let before = check()?;
    ensure!(!before.err.contains("net."), "as it was made: {}", before.err);
    let change = "cd /proc/sys/net && echo 1 >ipv4/ip_forward && echo 1 >ipv6/conf/lo/disable_ipv6";
    let changed = Command::new("nsenter")
        .args(["--net", "-t", &pid, "sh", "-c", change])
        .status()?;
    ensure!(changed.success(), "nsenter: {changed}");
    check()?.names(&["net.ipv4.conf.all.forwarding", "net.ipv6.conf.lo.disable_ipv6"])?;
    target.finish()
}
