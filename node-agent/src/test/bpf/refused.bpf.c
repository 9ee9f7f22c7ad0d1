// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// A program that no verifier accepts: it reads a map's value without testing that there is one.

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} absent SEC(".maps");

SEC("cgroup_skb/ingress")
int reads_null(struct __sk_buff *skb)
{
	__u32 key = skb->len;
	__u64 *value = bpf_map_lookup_elem(&absent, &key);

	return *value & 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
