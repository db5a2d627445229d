// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! The files that sockets are bound to, when root restarts a user's program.

use harness::case::During;
use harness::ckptctl::{self, exit};
use harness::process::{descendants, reap_orphans};
use harness::user::NOBODY;
use harness::{ensure, Context, Program, Result};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{chown, symlink, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

const USER: u32 = 65534;

/// What is at the path and no socket, or somebody's, stays as it is; the socket gets its owner and permissions back.
pub fn comes_back(context: &Context) -> Result {
    let dir = context.path("user");
    fs::create_dir(&dir)?;
    chown(&dir, Some(USER), Some(USER))?;
    let file = context.path("own.ckpt");
    let mut target = Program::own(context, "socket_named")
        .through(NOBODY)
        .cwd(&dir)
        .start()?;
    target.wait_ready()?;
    let path = dir.join("relative");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;
    let family = [descendants(target.pid), vec![target.pid]].concat();
    target.checkpoint_kill(&file)?;
    let was = Seen::at(&path)?;
    ensure!(
        was.uid == USER && was.gid == USER && was.mode & 0o7777 == 0o640,
        "it is {was:?}"
    );

    let refused = || -> Result {
        let before = Seen::at(&path)?;
        let done = ckptctl::run(&[OsStr::new("restart"), file.as_os_str()])?.expect(exit::FAILED)?;
        done.names(&["relative", "in use"])?;
        reap_orphans(&family)?;
        let after = Seen::at(&path)?;
        ensure!(before == after, "{before:?} has become {after:?}");
        Ok(())
    };
    fs::remove_file(&path)?;
    fs::write(&path, "foreign")?;
    refused().during("a file")?;
    fs::remove_file(&path)?;

    let victim = context.path("victim");
    fs::write(&victim, "foreign")?;
    let spared = Seen::at(&victim)?;
    symlink(&victim, &path)?;
    refused().during("a symbolic link")?;
    ensure!(
        Seen::at(&victim)? == spared,
        "the file behind a symbolic link was changed"
    );
    fs::remove_file(&path)?;

    // The owner of a directory on the way leads elsewhere.
    let elsewhere = context.path("elsewhere");
    fs::rename(&dir, &elsewhere)?;
    symlink(&elsewhere, &dir)?;
    let done = ckptctl::run(&[OsStr::new("restart"), file.as_os_str()])?.expect(exit::FAILED)?;
    done.names(&["relative"]).during("a link on the way")?;
    reap_orphans(&family)?;
    ensure!(
        fs::symlink_metadata(elsewhere.join("relative")).is_err(),
        "a socket was made where a symbolic link leads"
    );
    fs::remove_file(&dir)?;
    fs::rename(&elsewhere, &dir)?;

    let somebody = UnixListener::bind(&path)?;
    refused().during("a socket that somebody is bound to")?;
    drop(somebody);

    // What is left of that is a socket of nobody, but root's: the saved one takes its place.
    ensure!(Seen::at(&path)?.uid == 0, "the socket in the way is not root's");
    target.restart(&file)?;
    let back = Seen::at(&path)?;
    ensure!(
        (back.uid, back.gid, back.mode) == (was.uid, was.gid, was.mode),
        "it is {back:?}"
    );
    target.finish()
}

/// What identifies a file, and what a restart could have changed.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    inode: u64,
    uid: u32,
    gid: u32,
    mode: u32,
}

impl Seen {
    fn at(path: &Path) -> Result<Self> {
        let is = fs::symlink_metadata(path)?;
        Ok(Self {
            inode: is.ino(),
            uid: is.uid(),
            gid: is.gid(),
            mode: is.mode(),
        })
    }
}
