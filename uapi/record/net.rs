// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! What is in a network namespace: devices, addresses, routes and neighbours, as rtnetlink(7) has them.
//!
//! The records follow [`NetNs`]. Indexes of devices are those of this namespace. Addresses are in network byte order, an IPv4 address in
//! the first four of 16 bytes, the rest zero.

use super::record;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A network namespace. What is in it follows: devices by growing index (the loopback device, 1, is the first), addresses, routes,
/// neighbours.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NetNs {
    /// Number of the object.
    pub objref: u32,
    /// Number of devices.
    pub devices: u32,
}
record!(NetNs, NetNs, 8);

/// Most devices of a network namespace.
pub const DEVICES_MAX: u32 = 1024;

/// Indexes of devices are below this: the other end of a pair waits under this number and its own index until its namespace comes.
pub const PARKED: u32 = 1 << 30;

/// Longest alias of a device.
pub const ALIAS_MAX: u32 = 255;

/// Values of [`NetDevice::kind`].
pub mod device_kind {
    /// The loopback device that each network namespace is born with.
    pub const LOOPBACK: u32 = 1;
    /// One end of a veth pair.
    pub const VETH: u32 = 2;
}

/// Values of [`NetDevice::flags`]: those of `IFF_*` that can be set.
pub mod device_flags {
    /// IFF_UP.
    pub const UP: u32 = 0x1;
    /// IFF_NOARP.
    pub const NOARP: u32 = 0x80;
    /// IFF_PROMISC.
    pub const PROMISC: u32 = 0x100;
    /// IFF_ALLMULTI.
    pub const ALLMULTI: u32 = 0x200;
    /// IFF_MULTICAST.
    pub const MULTICAST: u32 = 0x1000;
    /// All of them.
    pub const ALL: u32 = UP | NOARP | PROMISC | ALLMULTI | MULTICAST;
}

/// Values of [`NetDevice::peer`]: where the other end of a veth pair is.
pub mod peer {
    /// It is no pair.
    pub const NONE: u32 = 0;
    /// In the network namespace of whoever saved, and then of whoever restarts.
    pub const OUTSIDE: u32 = 1;
    /// In a network namespace that comes later.
    pub const LATER: u32 = 2;
    /// In the namespace [`super::NetDevice::peer_ns`]: this one, or an earlier one.
    pub const KNOWN: u32 = 3;
}

/// [`NetDevice::addr_gen_mode`] of a device without IPv6.
pub const NO_INET6: u32 = u32::MAX;
/// Largest value of [`NetDevice::addr_gen_mode`].
pub const ADDR_GEN_MODE_MAX: u32 = 3;

/// Fixed part of a network device; its alias follows.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NetDevice {
    /// [`device_kind`].
    pub kind: u32,
    /// [`device_flags`].
    pub flags: u32,
    /// Its index.
    pub ifindex: u32,
    /// Largest packet.
    pub mtu: u32,
    /// Length of the transmit queue in packets.
    pub txqlen: u32,
    /// Group.
    pub group: u32,
    /// How it makes link-local addresses (IN6_ADDR_GEN_MODE_*), or [`NO_INET6`].
    pub addr_gen_mode: u32,
    /// [`peer`].
    pub peer: u32,
    /// Objref of the network namespace where the other end is; 0 unless that is [`peer::KNOWN`].
    pub peer_ns: u32,
    /// Index of the other end there; 0 unless that is [`peer::KNOWN`].
    pub peer_ifindex: u32,
    /// Hardware address, and two zeros.
    pub address: [u8; 8],
    /// Name, padded with NULs.
    pub name: [u8; 16],
    /// Length of the alias in bytes.
    pub alias_len: u32,
    /// Must be zero.
    pub reserved: u32,
}
record!(NetDevice, NetDevice, 72);

/// Flags of [`NetAddress::flags`]: those of `IFA_F_*` that can be set.
pub mod address_flags {
    /// IFA_F_NODAD.
    pub const NODAD: u32 = 0x02;
    /// IFA_F_OPTIMISTIC.
    pub const OPTIMISTIC: u32 = 0x04;
    /// IFA_F_HOMEADDRESS.
    pub const HOMEADDRESS: u32 = 0x10;
    /// IFA_F_MANAGETEMPADDR.
    pub const MANAGETEMPADDR: u32 = 0x100;
    /// IFA_F_NOPREFIXROUTE.
    pub const NOPREFIXROUTE: u32 = 0x200;
    /// IFA_F_MCAUTOJOIN.
    pub const MCAUTOJOIN: u32 = 0x400;
    /// All of them.
    pub const ALL: u32 = NODAD | OPTIMISTIC | HOMEADDRESS | MANAGETEMPADDR | NOPREFIXROUTE | MCAUTOJOIN;
}

/// Address of a device.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NetAddress {
    /// AF_INET or AF_INET6.
    pub family: u32,
    /// Index of the device.
    pub ifindex: u32,
    /// Length of the prefix in bits.
    pub prefix_len: u32,
    /// RT_SCOPE_*.
    pub scope: u32,
    /// [`address_flags`].
    pub flags: u32,
    /// Who has set it: IFAPROT_*.
    pub protocol: u32,
    /// Metric of the route to its prefix, 0 for that of the kernel.
    pub priority: u32,
    /// For how many seconds it is valid; `u32::MAX` for ever.
    pub valid: u32,
    /// For how many of them it is preferred.
    pub preferred: u32,
    /// Must be zero.
    pub reserved: u32,
    /// The address.
    pub local: [u8; 16],
    /// The address of the other end of a point-to-point link, or the same.
    pub peer: [u8; 16],
    /// Broadcast address, of IPv4; zeros for none.
    pub broadcast: [u8; 16],
    /// Label, of IPv4, padded with NULs.
    pub label: [u8; 16],
}
record!(NetAddress, NetAddress, 104);

/// Flags of [`NetRoute::flags`].
pub mod route_flags {
    /// RTNH_F_ONLINK: the gateway is on the link, whatever the addresses say.
    pub const ONLINK: u32 = 0x4;
    /// All of them.
    pub const ALL: u32 = ONLINK;
}

/// Metrics of a route: RTAX_LOCK to RTAX_FASTOPEN_NO_COOKIE.
pub const METRICS: usize = 17;

/// A route that the kernel has not made itself.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NetRoute {
    /// AF_INET or AF_INET6.
    pub family: u32,
    /// Routing table.
    pub table: u32,
    /// RTPROT_*.
    pub protocol: u32,
    /// RT_SCOPE_*.
    pub scope: u32,
    /// RTN_*.
    pub kind: u32,
    /// Type of service.
    pub tos: u32,
    /// [`route_flags`].
    pub flags: u32,
    /// Length of the destination's prefix in bits.
    pub dst_len: u32,
    /// Length of the source's prefix in bits.
    pub src_len: u32,
    /// Metric.
    pub priority: u32,
    /// Index of the device; 0 for none.
    pub ifindex: u32,
    /// Router preference (RTA_PREF), of IPv6.
    pub preference: u32,
    /// In how many seconds it expires; 0 for never.
    pub expires: u32,
    /// Family of the gateway; 0 without one.
    pub gateway_family: u32,
    /// Destination.
    pub dst: [u8; 16],
    /// Source.
    pub src: [u8; 16],
    /// Gateway.
    pub gateway: [u8; 16],
    /// Preferred source address; zeros for none.
    pub prefsrc: [u8; 16],
    /// RTAX_* from 1 on; 0 for what is not set.
    pub metrics: [u32; METRICS],
    /// Must be zero.
    pub reserved: u32,
}
record!(NetRoute, NetRoute, 192);

/// A permanent entry of the neighbour table.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NetNeighbour {
    /// AF_INET or AF_INET6.
    pub family: u32,
    /// Index of the device.
    pub ifindex: u32,
    /// Address.
    pub address: [u8; 16],
    /// Hardware address, and two zeros.
    pub hardware: [u8; 8],
}
record!(NetNeighbour, NetNeighbour, 32);
