// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Programs that do nothing, at the hooks of the HTTP probe and of the scheduler probe: what calling
 * any program there costs, which benchmarks subtract.
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

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *task)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
