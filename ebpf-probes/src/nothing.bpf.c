// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Programs that do nothing, at the HTTP probe's hooks: what calling any program there costs, which
 * benchmarks subtract.
 */
#include "kernel.h"

SEC("cgroup_skb/ingress")
int on_ingress(struct __sk_buff *skb)
{
	return 1;
}

SEC("cgroup_skb/egress")
int on_egress(struct __sk_buff *skb)
{
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
