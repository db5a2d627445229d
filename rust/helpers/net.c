// SPDX-License-Identifier: GPL-2.0
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <linux/nsproxy.h>
#include <linux/rtnetlink.h>
#include <net/rtnetlink.h>

#include "helpers.h"

/* A socket that sees the network namespace as rtnetlink(7) shows it. The caller keeps the namespace while it has it. */
struct socket *ckpt_rtnetlink(struct nsproxy *ns)
{
	struct socket *s;
	int err = sock_create_kern(ns->net_ns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, &s);

	return err ? ERR_PTR(err) : s;
}

void ckpt_rtnetlink_close(struct socket *s)
{
	sock_release(s);
}

/* Sends a message to the kernel. */
int ckpt_rtnetlink_send(struct socket *s, const void *message, size_t size)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct msghdr msg = { .msg_name = &kernel, .msg_namelen = sizeof(kernel) };
	struct kvec vec = { .iov_base = (void *)message, .iov_len = size };

	return kernel_sendmsg(s, &msg, &vec, 1, size);
}

/* Receives what the kernel has answered: its size, -EMSGSIZE when there is more than place. */
int ckpt_rtnetlink_receive(struct socket *s, void *buffer, size_t size)
{
	struct msghdr msg = {};
	struct kvec vec = { .iov_base = buffer, .iov_len = size };
	int n = kernel_recvmsg(s, &msg, &vec, 1, size, MSG_DONTWAIT);

	return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

/* The network namespace (as ckpt_namespace()) and index of the other end of a device; NULL when it has none. */
const void *ckpt_net_peer(struct nsproxy *ns, int ifindex, int *peer)
{
	const struct net *net = NULL;
	struct net_device *dev;

	rtnl_lock();
	dev = __dev_get_by_index(ns->net_ns, ifindex);
	*peer = dev ? dev_get_iflink(dev) : 0;
	if (*peer && dev->rtnl_link_ops && dev->rtnl_link_ops->get_link_net)
		net = dev->rtnl_link_ops->get_link_net(dev);
	rtnl_unlock();
	return net;
}
