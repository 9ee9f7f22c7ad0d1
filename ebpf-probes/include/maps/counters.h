/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Per-CPU counters. Summed over the CPUs by user space. */
#ifndef HEADSPAN_MAPS_COUNTERS_H
#define HEADSPAN_MAPS_COUNTERS_H

#include "kernel.h"

#define COUNTERS(name, size)                         \
	struct {                                     \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); \
		__uint(max_entries, size);           \
		__type(key, __u32);                  \
		__type(value, __u64);                \
	} name SEC(".maps")

/*
 * An interrupt may count between the load and the store of this addition and be overwritten: a
 * count is lost then, once in a blue moon. An atomic addition would cost every event.
 */
static __always_inline void count_in(void *counters, __u32 index)
{
	__u64 *counter = bpf_map_lookup_elem(counters, &index);

	if (counter)
		*counter += 1;
}

#endif
