// SPDX-License-Identifier: GPL-2.0
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
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

/* Prints the name of the function of a packet filter or the like; false when it belongs to a security module of the kernel. */
static bool print_hook(const struct nf_hook_ops *ops, char *buf, unsigned int size)
{
	snprintf(buf, size, "%ps", ops->hook);
	return ops->hook_ops_type != NF_HOOK_OP_UNDEFINED || strchr(buf, '[');
}

static bool print_hooks(struct nf_hook_entries __rcu *const *hooks, unsigned int n, char *buf, unsigned int size)
{
	unsigned int i, j;

	for (i = 0; i < n; i++) {
		const struct nf_hook_entries *e = rcu_dereference(hooks[i]);

		for (j = 0; e && j < e->num_hook_entries; j++)
			if (print_hook(nf_hook_entries_get_hook_ops(e)[j], buf, size))
				return true;
	}
	return false;
}

/* The same for a device: netfilter's hooks, and those of tc(8) and BPF, which a queueing discipline is not needed for. */
static bool print_device_filter(const struct net_device *dev, char *buf, unsigned int size)
{
#ifdef CONFIG_NETFILTER_INGRESS
	if (print_hooks(&dev->nf_hooks_ingress, 1, buf, size))
		return true;
#endif
#ifdef CONFIG_NETFILTER_EGRESS
	if (print_hooks(&dev->nf_hooks_egress, 1, buf, size))
		return true;
#endif
#ifdef CONFIG_NET_XGRESS
	if (rcu_access_pointer(dev->tcx_ingress) || rcu_access_pointer(dev->tcx_egress)) {
		snprintf(buf, size, "traffic control of device %s", dev->name);
		return true;
	}
#endif
	return false;
}

static bool print_filter(struct net *net, char *buf, unsigned int size)
{
	const struct net_device *dev;
	unsigned int i;

#ifdef CONFIG_XFRM
	bool found = READ_ONCE(net->xfrm.state_num);

	for (i = 0; i < ARRAY_SIZE(net->xfrm.policy_count); i++)
		found |= READ_ONCE(net->xfrm.policy_count[i]);
	if (found) {
		strscpy(buf, "xfrm", size);
		return true;
	}
#endif
	for (i = 0; i < ARRAY_SIZE(net->bpf.run_array); i++)
		if (rcu_access_pointer(net->bpf.run_array[i])) {
			strscpy(buf, "a BPF program", size);
			return true;
		}
	if (print_hooks(net->nf.hooks_ipv4, ARRAY_SIZE(net->nf.hooks_ipv4), buf, size) ||
	    print_hooks(net->nf.hooks_ipv6, ARRAY_SIZE(net->nf.hooks_ipv6), buf, size))
		return true;
#ifdef CONFIG_NETFILTER_FAMILY_ARP
	if (print_hooks(net->nf.hooks_arp, ARRAY_SIZE(net->nf.hooks_arp), buf, size))
		return true;
#endif
#ifdef CONFIG_NETFILTER_FAMILY_BRIDGE
	if (print_hooks(net->nf.hooks_bridge, ARRAY_SIZE(net->nf.hooks_bridge), buf, size))
		return true;
#endif
	for_each_netdev_rcu(net, dev)
		if (print_device_filter(dev, buf, size))
			return true;
	return false;
}

/* Prints the name of something that filters or changes packets in the network namespace; false when there is nothing. */
bool ckpt_net_filter(struct nsproxy *ns, char *buf, unsigned int size)
{
	bool found;

	rcu_read_lock();
	found = print_filter(ns->net_ns, buf, size);
	rcu_read_unlock();
	return found;
}
