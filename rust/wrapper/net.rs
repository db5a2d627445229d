// SPDX-License-Identifier: GPL-2.0

//! What is in a network namespace.
//!
//! C headers: [`include/linux/net.h`](srctree/include/linux/net.h),
//! [`include/uapi/linux/rtnetlink.h`](srctree/include/uapi/linux/rtnetlink.h)

use super::{bindings, ns::Nsproxy, to_result};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{error::from_err_ptr, prelude::*};

/// Numbers of rtnetlink(7).
pub(crate) mod rt {
    pub(crate) use ckpt_bindings::{
        rtattr_type_t_RTA_CACHEINFO as RTA_CACHEINFO, rtattr_type_t_RTA_DST as RTA_DST,
        rtattr_type_t_RTA_EXPIRES as RTA_EXPIRES, rtattr_type_t_RTA_GATEWAY as RTA_GATEWAY,
        rtattr_type_t_RTA_METRICS as RTA_METRICS, rtattr_type_t_RTA_OIF as RTA_OIF, rtattr_type_t_RTA_PREF as RTA_PREF,
        rtattr_type_t_RTA_PREFSRC as RTA_PREFSRC, rtattr_type_t_RTA_PRIORITY as RTA_PRIORITY,
        rtattr_type_t_RTA_SRC as RTA_SRC, rtattr_type_t_RTA_TABLE as RTA_TABLE, rtattr_type_t_RTA_VIA as RTA_VIA,
        FRA_FWMASK, FRA_L3MDEV, FRA_PRIORITY, FRA_PROTOCOL, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE, IFA_ADDRESS,
        IFA_BROADCAST, IFA_CACHEINFO, IFA_FLAGS, IFA_LABEL, IFA_LOCAL, IFA_PROTO, IFA_RT_PRIORITY, IFLA_ADDRESS,
        IFLA_AF_SPEC, IFLA_GROUP, IFLA_IFALIAS, IFLA_IFNAME, IFLA_INET6_ADDR_GEN_MODE, IFLA_INFO_DATA, IFLA_INFO_KIND,
        IFLA_LINKINFO, IFLA_MASTER, IFLA_MTU, IFLA_NET_NS_FD, IFLA_NEW_IFINDEX, IFLA_PROP_LIST, IFLA_QDISC,
        IFLA_TXQLEN, IFLA_XDP, IFLA_XDP_ATTACHED, NDA_DST, NDA_LLADDR, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE,
        NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NUD_PERMANENT, RTM_GETADDR, RTM_GETLINK,
        RTM_GETNEIGH, RTM_GETROUTE, RTM_GETRULE, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWNEIGH, RTM_NEWROUTE, VETH_INFO_PEER,
    };
}

/// A socket that sees a network namespace as rtnetlink(7) shows it.
///
/// # Invariants
///
/// `socket` is a socket that this value owns. Its network namespace lives for `'a`.
pub(crate) struct RouteSocket<'a> {
    socket: NonNull<bindings::socket>,
    namespace: PhantomData<&'a Nsproxy>,
}

impl Drop for RouteSocket<'_> {
    fn drop(&mut self) {
        // SAFETY: owned, by the type's invariant.
        unsafe { bindings::ckpt_rtnetlink_close(self.socket.as_ptr()) }
    }
}

impl<'a> RouteSocket<'a> {
    /// One for the network namespace of the set.
    pub(crate) fn of(ns: &'a Nsproxy) -> Result<Self> {
        // SAFETY: the set is alive and keeps its namespaces for `'a`; the helper returns a new socket or an error pointer.
        let socket = from_err_ptr(unsafe { bindings::ckpt_rtnetlink(ns.as_ptr()) })?;
        // INVARIANT: a new socket of a namespace that `ns` keeps.
        Ok(Self {
            socket: NonNull::new(socket).ok_or(ENOMEM)?,
            namespace: PhantomData,
        })
    }

    /// Sends a message to the kernel.
    pub(crate) fn send(&self, message: &[u8]) -> Result {
        // SAFETY: the socket is alive, the message as long as is said.
        let sent =
            unsafe { bindings::ckpt_rtnetlink_send(self.socket.as_ptr(), message.as_ptr().cast(), message.len()) };
        to_result(sent as isize).map(drop)
    }

    /// Receives messages of the kernel; how many bytes. `EAGAIN` when there is none.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<usize> {
        // SAFETY: the socket is alive, the buffer as long as is said.
        let size =
            unsafe { bindings::ckpt_rtnetlink_receive(self.socket.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
        to_result(size as isize).map(|size| size.min(buffer.len()))
    }
}

impl Nsproxy {
    /// Address of the network namespace and index of the other end of a device of a pair; `None` when it has none.
    pub(crate) fn net_peer(&self, ifindex: u32) -> Option<(usize, u32)> {
        let mut peer = 0;
        // SAFETY: alive; the helper locks, and what it returns is compared only.
        let net = unsafe { bindings::ckpt_net_peer(self.as_ptr(), ifindex as i32, &mut peer) };
        (!net.is_null()).then_some((net as usize, peer as u32))
    }

    /// Name of something that filters or changes the packets of the network namespace, if there is any.
    pub(crate) fn packet_filter(&self) -> Option<[u8; 64]> {
        let mut name = [0u8; 64];
        // SAFETY: alive; the array is as long as that; the helper locks.
        let found = unsafe { bindings::ckpt_net_filter(self.as_ptr(), name.as_mut_ptr().cast(), name.len() as u32) };
        found.then_some(name)
    }

    /// Name below /proc/sys/net of a setting that a new network namespace would not have, from number `next` on.
    pub(crate) fn changed_setting(&self, next: &mut u32) -> Option<[u8; 64]> {
        let mut name = [0u8; 64];
        // SAFETY: alive; the array is as long as that, the number the caller's; the helper locks.
        let found =
            unsafe { bindings::ckpt_net_setting(self.as_ptr(), next, name.as_mut_ptr().cast(), name.len() as u32) };
        found.then_some(name)
    }

    /// Whether IPv6 is disabled for a device of the network namespace.
    pub(crate) fn lacks_inet6(&self, ifindex: u32) -> bool {
        // SAFETY: alive; the helper locks.
        unsafe { bindings::ckpt_net_lacks_inet6(self.as_ptr(), ifindex as i32) }
    }
}
