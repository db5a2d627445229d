// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! One boot: the command line of QEMU, the streams, the limit.

use crate::initramfs::Archive;
use std::{
    fs,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// Numbers the boots of this process.
static BOOTS: AtomicU32 = AtomicU32::new(1);

/// What to boot and with what.
#[derive(Clone)]
pub struct Machine {
    /// The project's `build` directory.
    pub build: PathBuf,
    /// The kernel's directory below it: vmlinuz, virtio_blk.ko, root.ext4.
    pub kernel: PathBuf,
    pub smp: u32,
    pub mem: String,
    pub share: Option<PathBuf>,
    pub log: Option<PathBuf>,
    pub module: bool,
}

impl Default for Machine {
    fn default() -> Self {
        Machine {
            build: PathBuf::new(),
            kernel: PathBuf::new(),
            smp: 1,
            mem: "4G".into(),
            share: None,
            log: None,
            module: true,
        }
    }
}

/// How a boot ended.
pub struct Outcome {
    /// The command's exit status; `None` if the guest ended before it was known.
    pub status: Option<u8>,
    pub timed_out: bool,
    pub log: PathBuf,
    pub kernel_log: String,
    /// What QEMU itself said.
    pub complaint: String,
}

/// A directory of this boot's own files; gone with it.
struct RunDir(PathBuf);

impl Drop for RunDir {
    fn drop(&mut self) {
        // Only convenience is lost if it stays.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that does not outlive this one.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Hardware virtualisation is used only if the CPU says so: a /dev/kvm alone can belong to an emulation that cannot boot
/// a stock kernel.
fn accelerator() -> [&'static str; 4] {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = cpu.lines().find(|l| l.starts_with("flags")).unwrap_or_default();
    let has = |flag| flags.split(' ').any(|f| f == flag);
    let kvm = fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
    if kvm && (has("vmx") || has("svm")) {
        ["-accel", "kvm", "-cpu", "host"]
    } else {
        // One thread for all vCPUs: with several, TCG loses code patches of the guest kernel (Oops: int3). Five-level
        // page tables only make the software page walk longer.
        ["-accel", "tcg,thread=single", "-cpu", "max,la57=off"]
    }
}

/// Starts a program that is killed when this one dies.
fn tied(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

impl Machine {
    /// Runs a shell command in the guest and hands its output on as it comes.
    pub fn run(&self, cmd: &str, limit: Option<Duration>, mut on_output: impl FnMut(&[u8])) -> Result<Outcome, String> {
        let (dir, log) = self.prepare(Some(cmd))?;
        let (mut qemu, _share) = self.qemu(&dir, &log)?;
        // The file backend opens its path anew, which works for the pipe behind the descriptor.
        qemu.args(["-chardev", "file,id=out,path=/dev/fd/1"])
            .args(["-device", "virtserialport,nr=1,name=out,chardev=out"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = Daemon(qemu.spawn().map_err(|e| format!("cannot start qemu: {e}"))?);
        let output = child.0.stdout.take().expect("stdout is piped");
        let errors = child.0.stderr.take().expect("stderr is piped");
        let complaint = thread::spawn(move || io::read_to_string(errors).unwrap_or_default());
        let (send, chunks) = mpsc::channel();
        thread::spawn(move || pump(output, &send));

        let start = Instant::now();
        let mut timed_out = false;
        loop {
            let left = limit.map_or(Duration::from_secs(3600), |l| l.saturating_sub(start.elapsed()));
            match chunks.recv_timeout(left) {
                Ok(chunk) => on_output(&chunk),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) if limit.is_some_and(|l| start.elapsed() >= l) => {
                    timed_out = true;
                    break;
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
        }
        if timed_out {
            child.0.kill().map_err(|e| format!("cannot stop qemu: {e}"))?;
        }
        child.0.wait().map_err(|e| format!("cannot wait for qemu: {e}"))?;
        let complaint = complaint.join().unwrap_or_default();
        Ok(finish(&dir, log, timed_out, complaint))
    }

    /// An interactive shell on this terminal.
    pub fn shell(&self) -> Result<Outcome, String> {
        let (dir, log) = self.prepare(None)?;
        let (mut qemu, _share) = self.qemu(&dir, &log)?;
        qemu.args(["-chardev", "stdio,id=con,signal=off"])
            .args(["-device", "virtconsole,nr=0,chardev=con"])
            .args(["-chardev", "null,id=out"])
            .args(["-device", "virtserialport,nr=1,name=out,chardev=out"]);
        let mut child = Daemon(qemu.spawn().map_err(|e| format!("cannot start qemu: {e}"))?);
        child.0.wait().map_err(|e| format!("cannot wait for qemu: {e}"))?;
        Ok(finish(&dir, log, false, String::new()))
    }

    /// Makes the directory with the initramfs, and chooses where the kernel log goes.
    fn prepare(&self, cmd: Option<&str>) -> Result<(RunDir, PathBuf), String> {
        let guest = self.build.join("guest");
        let boot = format!("{}.{}", std::process::id(), BOOTS.fetch_add(1, Ordering::Relaxed));
        let dir = RunDir(guest.join(format!("run-{boot}")));
        fs::create_dir_all(&dir.0).map_err(|e| format!("{}: {e}", dir.0.display()))?;
        let read =
            |path: PathBuf| fs::read(&path).map_err(|e| format!("{}: {e} (make guest-files makes it)", path.display()));
        let mut archive = Archive::default();
        archive.directory("dev");
        archive.file("init", 0o755, &read(guest.join("init"))?);
        archive.file("virtio_blk.ko", 0o644, &read(self.kernel.join("virtio_blk.ko"))?);
        archive.file("conf", 0o644, self.settings(cmd.is_none()).as_bytes());
        if let Some(cmd) = cmd {
            archive.file("cmd", 0o644, cmd.as_bytes());
        }
        fs::write(dir.0.join("initrd"), archive.finish()).map_err(|e| format!("initrd: {e}"))?;
        let log = self.log.clone().unwrap_or_else(|| default_log(&guest, &boot));
        fs::write(&log, "").map_err(|e| format!("{}: {e}", log.display()))?;
        Ok((dir, log))
    }

    fn settings(&self, interactive: bool) -> String {
        let mut conf = String::new();
        if self.share.is_some() {
            conf.push_str("share\n");
        }
        if !self.module {
            conf.push_str("nomodule\n");
        }
        if interactive {
            conf.push_str(&terminal());
        }
        conf
    }

    fn qemu(&self, dir: &RunDir, log: &Path) -> Result<(Command, Option<Daemon>), String> {
        let mut qemu = tied("qemu-system-x86_64");
        let disk = |file: PathBuf, id: &str| {
            // snapshot=on: every boot starts from the same disks, and several may run at a time.
            let file = file.display();
            format!("if=none,id={id},format=raw,snapshot=on,cache=unsafe,file={file}")
        };
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
            .args(accelerator())
            .args(["-smp", &self.smp.to_string(), "-m", &self.mem])
            .arg("-kernel")
            .arg(self.kernel.join("vmlinuz"))
            .arg("-initrd")
            .arg(dir.0.join("initrd"))
            .arg("-append")
            // loglevel: a quiet boot is a fast boot on a serial console; init raises it.
            .arg("console=ttyS0 quiet loglevel=5 panic=-1 oops=panic sysctl.kernel.hung_task_timeout_secs=60")
            .args(["-chardev", &format!("file,id=log,path={}", log.display())])
            .args(["-serial", "chardev:log"])
            .args(["-drive", &disk(self.kernel.join("root.ext4"), "root")])
            .args(["-device", "virtio-blk-pci,drive=root"])
            .args(["-drive", &disk(self.build.join("guest/out.ext4"), "out")])
            .args(["-device", "virtio-blk-pci,drive=out"])
            .args(["-device", "virtio-serial-pci"])
            .args([
                "-chardev",
                &format!("file,id=status,path={}", dir.0.join("status").display()),
            ])
            .args(["-device", "virtserialport,nr=2,name=status,chardev=status"]);
        let share = match &self.share {
            None => None,
            Some(share) => {
                let socket = dir.0.join("share.sock");
                let daemon = self.virtiofsd(share, &socket)?;
                // The daemon reads the guest's memory, so that must be shareable.
                qemu.args([
                    "-object",
                    &format!("memory-backend-memfd,id=ram,share=on,size={}", self.mem),
                ])
                .args(["-machine", "memory-backend=ram"])
                .args(["-chardev", &format!("socket,id=share,path={}", socket.display())])
                .args(["-device", "vhost-user-fs-pci,chardev=share,tag=host"]);
                Some(daemon)
            }
        };
        Ok((qemu, share))
    }

    /// The tree's virtiofsd, run by the tree's own loader: the host's Debian release may not have one.
    fn virtiofsd(&self, share: &Path, socket: &Path) -> Result<Daemon, String> {
        if !share.is_dir() {
            return Err(format!("{}: not a directory", share.display()));
        }
        let tree = self.build.join("tree");
        let mut daemon = tied(tree.join("lib64/ld-linux-x86-64.so.2"));
        daemon
            .arg("--library-path")
            .arg(tree.join("usr/lib/x86_64-linux-gnu"))
            .arg(tree.join("usr/libexec/virtiofsd"))
            .args(["--sandbox", "none", "--log-level", "error", "--shared-dir"])
            .arg(share)
            .arg("--socket-path")
            .arg(socket)
            .stdin(Stdio::null());
        let daemon = Daemon(daemon.spawn().map_err(|e| format!("cannot start virtiofsd: {e}"))?);
        for _ in 0..500 {
            if socket.exists() {
                return Ok(daemon);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err("virtiofsd did not open its socket".into())
    }
}

/// `console.log` leads to the log of the boot that was started last; logs of boots that are over go.
fn default_log(guest: &Path, boot: &str) -> PathBuf {
    for entry in fs::read_dir(guest).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix("console-").and_then(|n| n.split('.').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_file(entry.path());
        }
    }
    let name = format!("console-{boot}.log");
    let link = guest.join("console.log");
    let _ = fs::remove_file(&link);
    // Without the link the log is still there, under its own name.
    let _ = std::os::unix::fs::symlink(&name, &link);
    guest.join(name)
}

/// The line of init's settings that describes this terminal.
fn terminal() -> String {
    let term = std::env::var("TERM").unwrap_or_else(|_| "linux".into());
    let size = Command::new("stty").arg("size").stdin(Stdio::inherit()).output();
    match size {
        Ok(out) if io::stdin().is_terminal() && out.status.success() => {
            format!("tty {} {term}\n", String::from_utf8_lossy(&out.stdout).trim())
        }
        _ => format!("tty 24 80 {term}\n"),
    }
}

fn pump(mut from: impl Read, to: &mpsc::Sender<Vec<u8>>) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) if to.send(buffer[..n].to_vec()).is_err() => return,
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

fn finish(dir: &RunDir, log: PathBuf, timed_out: bool, complaint: String) -> Outcome {
    let status = fs::read_to_string(dir.0.join("status")).unwrap_or_default();
    let kernel_log = fs::read(&log).unwrap_or_default();
    Outcome {
        status: status.trim().strip_prefix("exit ").and_then(|s| s.parse().ok()),
        timed_out,
        log,
        kernel_log: String::from_utf8_lossy(&kernel_log).into_owned(),
        complaint,
    }
}
