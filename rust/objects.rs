// SPDX-License-Identifier: GPL-2.0

//! Shared objects: written once, when first met, and referred to by objref.
//!
//! On dump: address to objref. On restore: objref to object. Each table owns one reference to each object until the
//! operation ends, so an address cannot be used again for something else.

use crate::{
    error::{Fault, Result},
    wrapper::{
        cred::Cred,
        file::File,
        ipc::{Created, Fields},
        landlock::Layer,
        ns::Kind,
        socket::Unix,
        task::Task,
        tty::Master, //
    },
};
use ckpt_uapi::{
    record::{mqueue::Mqueue, nameless::Nameless as Record},
    statefile::OBJECTS_MAX,
};
use kernel::{prelude::*, rbtree::RBTree};

/// Objects of a dump, by address.
pub(crate) struct Seen {
    by_address: RBTree<usize, u32>,
    held: KVVec<Keeper>,
    /// Sockets whose messages and options are still to be written.
    pub(crate) sockets: KVVec<Unfinished>,
    /// Objrefs of sockets that nobody has any more.
    pub(crate) closed: KVVec<u32>,
}

/// A Unix socket whose record has been written.
pub(crate) struct Unfinished {
    pub(crate) objref: u32,
    pub(crate) socket: Unix,
    /// Its open file; none while it waits to be accepted.
    pub(crate) file: Option<File>,
    /// What keeps it: that, or the file of the socket at which it waits.
    pub(crate) keeper: File,
}

/// What keeps an object that has been written.
pub(crate) enum Keeper {
    /// It is an open file, or belongs to one.
    File(#[expect(dead_code, reason = "only held")] File),
    /// It is a layer of the Landlock domain of these credentials.
    Cred(#[expect(dead_code, reason = "only held")] Cred),
    /// It belongs to a task that stands still for as long as this lives.
    Task,
}

impl Seen {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            by_address: RBTree::new(),
            held: KVVec::new(),
            sockets: KVVec::new(),
            closed: KVVec::new(),
        }
    }

    /// The objref of the object at this address, if it has been written already.
    pub(crate) fn get(&self, address: usize) -> Option<u32> {
        self.by_address.get(&address).copied()
    }

    /// Gives the object at this address, which is kept by `keeper`, the next objref. The caller writes it before anything
    /// refers to it.
    pub(crate) fn add(&mut self, address: usize, keeper: Keeper) -> Result<u32> {
        let objref = self.held.len() as u32 + 1;
        if objref > OBJECTS_MAX {
            return Err(Fault::new(E2BIG, format_args!("more than {} objects", OBJECTS_MAX)));
        }
        self.held.push(keeper, GFP_KERNEL_ACCOUNT)?;
        self.by_address
            .try_create_and_insert(address, objref, GFP_KERNEL_ACCOUNT)?;
        Ok(objref)
    }

    /// Lets another address, which its keeper keeps too, stand for an object.
    pub(crate) fn also(&mut self, address: usize, objref: u32) -> Result {
        self.by_address
            .try_create_and_insert(address, objref, GFP_KERNEL_ACCOUNT)?;
        Ok(())
    }

    /// Number of objects.
    pub(crate) fn len(&self) -> u32 {
        self.held.len() as u32
    }
}

/// What an objref stands for on restore. Small, since most of many are open files: what is longer than those is in a box.
pub(crate) enum Object {
    /// An open file, and the size and modification time that it had.
    File(File, u64, u64),
    /// A socket.
    Socket(File),
    /// A socket that nobody in the target has: it will be closed again, and no descriptor refers to it.
    Ghost(File),
    /// A socket that waits to be accepted.
    Waiting(Unix),
    /// A socket that has been closed again: it was closed, and its peer was not.
    ClosedSocket,
    /// Shared memory: the file that the kernel keeps behind it, and its size in bytes.
    Shmem(File, u64),
    /// A segment of System V shared memory.
    Segment(KBox<Segment>),
    /// A set of System V semaphores.
    Sem(KBox<Fields>),
    /// A System V message queue, and how many messages are still to come.
    Msg(KBox<Fields>, u32),
    /// A POSIX message queue: an open file of it, how many messages are still to come, and what is set then.
    Mqueue(File, u32, KBox<Mqueue>),
    /// A list of what is undone at exit, by a task that has it.
    Undo(Task),
    /// A pipe.
    Pipe(Pipe),
    /// A pseudoterminal, by its master.
    Pty(Master),
    /// A regular file without a name.
    Nameless(KBox<Nameless>),
    /// A file system that has been mounted: the file that stands for its root.
    Filesystem(File),
    /// A namespace, a file that stands for it, and the task that has made it.
    Namespace(Kind, File, Task),
    /// What processes share ([`crate::resource::share`], one bit), by the task that has it.
    Shared(u32, Task),
    /// A layer of a Landlock domain, the objref of the one below it, and who has enforced it first.
    Layer(KBox<Layer>, u32, Option<Cred>),
    /// A seccomp filter: a task that has it, and its address, which is looked for in that task's filters.
    Filter(Task, usize),
}

const _: () = assert!(size_of::<Object>() <= 40);

/// A segment of System V shared memory that has been made.
pub(crate) struct Segment {
    /// The file that the kernel keeps behind it.
    pub(crate) file: File,
    /// What it is.
    pub(crate) fields: Fields,
}

impl Segment {
    /// Bytes of memory that an attachment takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.fields.size.div_ceil(4096).saturating_mul(4096)
    }
}

/// What outlives the tasks of a restart, and goes again with one that fails.
pub(crate) struct Remains(KVVec<Created>);

impl Remains {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(KVVec::new())
    }

    /// Room for one more, which [`Self::add`] has then.
    pub(crate) fn reserve(&mut self) -> Result {
        Ok(self.0.reserve(1, GFP_KERNEL_ACCOUNT)?)
    }

    /// One more.
    pub(crate) fn add(&mut self, created: Created) -> Result {
        Ok(self.0.push(created, GFP_KERNEL_ACCOUNT)?)
    }

    /// All of it stays.
    pub(crate) fn keep(&mut self) {
        self.0.iter_mut().for_each(Created::keep);
    }
}

/// A pipe that has been made: files that keep it, and, of an anonymous one, its first open files until they are taken.
pub(crate) struct Pipe {
    /// An open file that can be opened again.
    pub(crate) holder: File,
    /// The read end and the write end that the pipe was born with.
    pub(crate) ends: [Option<File>; 2],
}

/// A regular file without a name that has been made.
pub(crate) struct Nameless {
    /// An open file of it.
    pub(crate) file: File,
    /// What is set when its contents are there; gone then, and with it the right to write to `file`.
    pub(crate) unfinished: Option<Record>,
    /// Whether it has a name.
    pub(crate) named: bool,
    /// Whether it gets its contents: one that has a name may still have them.
    pub(crate) written: bool,
}

/// Objects of a restore, by objref.
pub(crate) struct Made {
    objects: KVVec<Object>,
    /// Ends of veth pairs that have been made with the other one, and whose own records have not come.
    pub(crate) ends: usize,
    sockets: Sockets,
}

/// What is left to be done with sockets that have been made.
#[derive(Default)]
pub(crate) struct Sockets {
    /// The second one of a pair, until its record comes.
    pub(crate) second: Option<File>,
    /// Sockets whose peers are known by their credentials: process, user and group.
    pub(crate) peers: KVVec<(Unix, [u32; 3])>,
    /// Messages whose senders are not named yet.
    pub(crate) unnamed: KVVec<Unnamed>,
}

/// A message from a process that the restoring task may not speak for.
pub(crate) struct Unnamed {
    /// Where it waits, and at which place.
    pub(crate) socket: Unix,
    pub(crate) nth: u32,
    pub(crate) sender: Option<Task>,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Made {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            objects: KVVec::new(),
            ends: 0,
            sockets: Sockets::default(),
        }
    }

    /// What an object waits for that has not come.
    pub(crate) fn awaits(&self) -> Option<&'static str> {
        if self.ends > 0 {
            return Some("the other end of a pair of network devices");
        }
        let lacks = |object: &Object| matches!(object, Object::Msg(_, left) | Object::Mqueue(_, left, _) if *left > 0);
        self.objects.iter().any(lacks).then_some("a message of a queue")
    }

    /// What is left to be done with sockets.
    pub(crate) fn sockets(&mut self) -> &mut Sockets {
        &mut self.sockets
    }

    /// The object, if it is a socket that has not been closed again.
    pub(crate) fn socket(&self, objref: u32) -> Option<&File> {
        match self.get(objref)? {
            Object::Socket(f) | Object::Ghost(f) => Some(f),
            _ => None,
        }
    }

    /// The object, if it is a socket that has not been closed again: also one that waits to be accepted.
    pub(crate) fn unix(&self, objref: u32) -> Option<Unix> {
        match self.get(objref)? {
            Object::Socket(f) | Object::Ghost(f) => Unix::of(f),
            Object::Waiting(socket) => Some(socket.clone()),
            _ => None,
        }
    }

    /// Forgets a socket that nobody in the target has, and that is to be closed: its file.
    pub(crate) fn close_socket(&mut self, objref: u32) -> Option<File> {
        let object = self.objects.get_mut((objref as usize).checked_sub(1)?)?;
        match core::mem::replace(object, Object::ClosedSocket) {
            Object::Ghost(f) => Some(f),
            other => {
                *object = other;
                None
            }
        }
    }

    /// The objref that the next object must have.
    pub(crate) fn next(&self) -> u32 {
        self.objects.len() as u32 + 1
    }

    /// Adds the next object.
    pub(crate) fn add(&mut self, object: Object) -> Result {
        if self.next() > OBJECTS_MAX {
            return Err(Fault::new(E2BIG, format_args!("more than {} objects", OBJECTS_MAX)));
        }
        Ok(self.objects.push(object, GFP_KERNEL_ACCOUNT)?)
    }

    /// The object.
    pub(crate) fn get(&self, objref: u32) -> Option<&Object> {
        self.objects.get((objref as usize).checked_sub(1)?)
    }

    /// The object, if it is a pipe.
    pub(crate) fn pipe(&mut self, objref: u32) -> Option<&mut Pipe> {
        match self.objects.get_mut((objref as usize).checked_sub(1)?)? {
            Object::Pipe(p) => Some(p),
            _ => None,
        }
    }

    /// The object.
    pub(crate) fn get_mut(&mut self, objref: u32) -> Option<&mut Object> {
        self.objects.get_mut((objref as usize).checked_sub(1)?)
    }

    /// The object, if it is a regular file without a name.
    pub(crate) fn nameless(&mut self, objref: u32) -> Option<&mut Nameless> {
        match self.objects.get_mut((objref as usize).checked_sub(1)?)? {
            Object::Nameless(n) => Some(n),
            _ => None,
        }
    }

    /// The object, if it is an open file.
    pub(crate) fn file(&self, objref: u32) -> Option<&File> {
        match self.get(objref)? {
            Object::File(f, ..) | Object::Socket(f) => Some(f),
            Object::ClosedSocket
            | Object::Ghost(..)
            | Object::Waiting(..)
            | Object::Shmem(..)
            | Object::Segment(..)
            | Object::Sem(..)
            | Object::Msg(..)
            | Object::Mqueue(..)
            | Object::Undo(..)
            | Object::Pipe(..)
            | Object::Pty(..)
            | Object::Nameless(..)
            | Object::Layer(..)
            | Object::Shared(..)
            | Object::Filter(..)
            | Object::Filesystem(..)
            | Object::Namespace(..) => None,
        }
    }

    /// The layer of a Landlock domain, the one below it, and who has enforced it first.
    pub(crate) fn layer(&mut self, objref: u32) -> Option<(&Layer, u32, &mut Option<Cred>)> {
        match self.objects.get_mut((objref as usize).checked_sub(1)?)? {
            Object::Layer(layer, below, first) => Some((layer, *below, first)),
            _ => None,
        }
    }

    /// Number of objects.
    pub(crate) fn len(&self) -> u32 {
        self.objects.len() as u32
    }
}
