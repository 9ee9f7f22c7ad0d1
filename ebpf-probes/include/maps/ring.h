/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The ring in which an object's records go to user space, in the order of their submission. */
#ifndef HEADSPAN_MAPS_RING_H
#define HEADSPAN_MAPS_RING_H

#include "kernel.h"

/* User space sets the size before it loads. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ring SEC(".maps");

/* Set by user space: a quarter of the ring's size. */
const volatile __u64 ring_wakeup_bytes = 1 << 18;

/*
 * The reader drains on a beat of its own, because a wake-up costs fifty times a record. It is woken
 * only when the ring fills faster than that.
 */
static __always_inline __u64 ring_flags(void)
{
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= ring_wakeup_bytes ?
		       BPF_RB_FORCE_WAKEUP :
		       BPF_RB_NO_WAKEUP;
}

#endif
