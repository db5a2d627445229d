// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Names of error numbers.

use rustix::io::Errno;

macro_rules! names {
    ($($name:ident = $errno:ident,)*) => {
        /// The name of an error number, or the number.
        pub fn name(errno: i32) -> String {
            match Errno::from_raw_os_error(errno) {
                $(Errno::$errno => stringify!($name).into(),)*
                _ => format!("errno {errno}"),
            }
        }
    };
}

names! {
    EPERM = PERM, ENOENT = NOENT, ESRCH = SRCH, EINTR = INTR, EIO = IO, ENXIO = NXIO, E2BIG = TOOBIG,
    EBADF = BADF, ECHILD = CHILD, EAGAIN = AGAIN, ENOMEM = NOMEM, EACCES = ACCESS, EFAULT = FAULT, EBUSY = BUSY,
    EEXIST = EXIST, EXDEV = XDEV, ENODEV = NODEV, ENOTDIR = NOTDIR, EISDIR = ISDIR, EINVAL = INVAL, ENFILE = NFILE,
    EMFILE = MFILE, ENOTTY = NOTTY, ETXTBSY = TXTBSY, EFBIG = FBIG, ENOSPC = NOSPC, ESPIPE = SPIPE, EROFS = ROFS,
    EPIPE = PIPE, ERANGE = RANGE, EDEADLK = DEADLK, ENAMETOOLONG = NAMETOOLONG, ENOSYS = NOSYS, ELOOP = LOOP,
    ENODATA = NODATA, EPROTO = PROTO, EBADMSG = BADMSG, EOVERFLOW = OVERFLOW, EPROTONOSUPPORT = PROTONOSUPPORT,
    EOPNOTSUPP = OPNOTSUPP, ETIMEDOUT = TIMEDOUT, EALREADY = ALREADY, EINPROGRESS = INPROGRESS, ESTALE = STALE,
    EDQUOT = DQUOT, ECANCELED = CANCELED,
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_what_it_knows() {
        assert_eq!(super::name(95), "EOPNOTSUPP");
        assert_eq!(super::name(4095), "errno 4095");
    }
}
