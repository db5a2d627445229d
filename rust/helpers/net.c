// SPDX-License-Identifier: GPL-2.0
#include <linux/inetdevice.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <linux/nsproxy.h>
#include <linux/rtnetlink.h>
#include <net/addrconf.h>
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

/* Settings that devices have, by their names below /proc/sys/net, and where they stand. As the kernel is built they are 0. */
static const struct ckpt_setting {
	const char *name;
	bool inet6;
	size_t offset;
} settings[] = {
	{ "ipv4.conf.%s.forwarding", false, offsetof(struct ipv4_devconf, data[IPV4_DEVCONF_FORWARDING - 1]) },
	{ "ipv4.conf.%s.rp_filter", false, offsetof(struct ipv4_devconf, data[IPV4_DEVCONF_RP_FILTER - 1]) },
	{ "ipv4.conf.%s.proxy_arp", false, offsetof(struct ipv4_devconf, data[IPV4_DEVCONF_PROXY_ARP - 1]) },
	{ "ipv4.conf.%s.route_localnet", false, offsetof(struct ipv4_devconf, data[IPV4_DEVCONF_ROUTE_LOCALNET - 1]) },
	{ "ipv6.conf.%s.forwarding", true, offsetof(struct ipv6_devconf, forwarding) },
	{ "ipv6.conf.%s.disable_ipv6", true, offsetof(struct ipv6_devconf, disable_ipv6) },
};

static int setting_in(const struct ckpt_setting *s, const void *conf)
{
	return conf ? READ_ONCE(*(const int *)(conf + s->offset)) : 0;
}

static int setting_of_all(const struct ckpt_setting *s, const struct net *net)
{
	return setting_in(s, s->inet6 ? (const void *)net->ipv6.devconf_all : net->ipv4.devconf_all);
}

static int setting_of_new(const struct ckpt_setting *s, const struct net *net)
{
	return setting_in(s, s->inet6 ? (const void *)net->ipv6.devconf_dflt : net->ipv4.devconf_dflt);
}

/* The caller holds the RCU lock. */
static int setting_of_device(const struct ckpt_setting *s, const struct net_device *dev, int otherwise)
{
	const struct in_device *inet = __in_dev_get_rcu(dev);
	const struct inet6_dev *inet6 = __in6_dev_get(dev);

	if (s->inet6)
		return inet6 ? setting_in(s, &inet6->cnf) : otherwise;
	return inet ? setting_in(s, &inet->cnf) : otherwise;
}

/* The network namespace from which a new one has its settings; NULL when it has those that the kernel is built with. */
static const struct net *giver(const struct ckpt_setting *s)
{
	switch (net_inherit_devconf()) {
	case 0:
		return s->inet6 ? NULL : &init_net;
	case 1:
		return &init_net;
	case 3:
		return current->nsproxy->net_ns;
	default:
		return NULL;
	}
}

static bool print_setting(const struct ckpt_setting *s, const char *where, char *buf, unsigned int size)
{
	snprintf(buf, size, s->name, where);
	return true;
}

/* Prints where a setting is another than in a new namespace, if it is: of all devices, of new ones, or of one. */
static bool print_changed(const struct ckpt_setting *s, struct net *net, char *buf, unsigned int size)
{
	const struct net *from = giver(s);
	int born = from ? setting_of_new(s, from) : 0;
	const struct net_device *dev;

	if (setting_of_all(s, net) != (from ? setting_of_all(s, from) : 0))
		return print_setting(s, "all", buf, size);
	if (setting_of_new(s, net) != born)
		return print_setting(s, "default", buf, size);
	for_each_netdev_rcu(net, dev)
		if (setting_of_device(s, dev, born) != born)
			return print_setting(s, dev->name, buf, size);
	return false;
}

/* Prints the name of the next setting, from number *@next on, that a new network namespace would not have; false at the end. */
bool ckpt_net_setting(struct nsproxy *ns, unsigned int *next, char *buf, unsigned int size)
{
	bool found = false;

	rcu_read_lock();
	while (!found && *next < ARRAY_SIZE(settings))
		found = print_changed(&settings[(*next)++], ns->net_ns, buf, size);
	rcu_read_unlock();
	return found;
}

/* Whether IPv6 is disabled for a device. */
bool ckpt_net_lacks_inet6(struct nsproxy *ns, int ifindex)
{
	const struct net_device *dev;
	const struct inet6_dev *inet6;
	bool disabled;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(ns->net_ns, ifindex);
	inet6 = dev ? __in6_dev_get(dev) : NULL;
	disabled = inet6 && READ_ONCE(inet6->cnf.disable_ipv6);
	rcu_read_unlock();
	return disabled;
}
