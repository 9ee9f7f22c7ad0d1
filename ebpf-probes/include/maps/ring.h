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

/* Counts records, so roughly that two CPUs may overwrite each other's. */
__u32 ring_records;

/* So many records go to the ring between two looks at how full it is. */
#define RING_RECORDS_PER_LOOK 16

/*
 * The reader drains on a beat of its own, because a wake-up costs fifty times a record. It is woken
 * only when the ring fills faster than that. Then it has enough to do for a while: not every record
 * needs to say so again, nor to look.
 */
static __always_inline __u64 ring_flags(void)
{
	if (++ring_records % RING_RECORDS_PER_LOOK != 0)
		return BPF_RB_NO_WAKEUP;
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= ring_wakeup_bytes ?
		       BPF_RB_FORCE_WAKEUP :
		       BPF_RB_NO_WAKEUP;
}

#endif
