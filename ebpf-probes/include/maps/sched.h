/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The maps of the scheduler probe, and the state that it keeps for threads, CPUs and sockets. */
#ifndef HEADSPAN_MAPS_SCHED_H
#define HEADSPAN_MAPS_SCHED_H

#include "kernel.h"

#include "events.h"
#include "maps/counters.h"
#include "maps/followed.h"

COUNTERS(sched_counters, SCHED_COUNTERS);

/* Cgroup id -> whose it is. Written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct tenant_entry);
} tenants SEC(".maps");

/*
 * Who waited for whom: every wait of every watched thread, since the probe was loaded. Allocated in
 * advance, because it grows inside of the scheduler.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct matrix_key);
	__type(value, struct matrix_cell);
} matrix SEC(".maps");

enum thread_state {
	THREAD_NEW = 0,		/* nothing seen of it yet */
	THREAD_RUNNING,
	THREAD_WAITING,		/* runnable, not running */
	THREAD_SLEEPING,
};

/* A watched thread. Only the CPU that runs it, or holds the lock of its run queue, is here. */
struct thread {
	struct account_event event;
	__u32 ready;
	__u32 tenant;			/* from the next record on, if event has another */
	__u64 since_ns;			/* of the state, or of what is in the event already */
	__u32 state;
	__u32 cpu;			/* waiting: for which CPU */
	__u32 written;			/* written_cookie was written again at written_ns */
	__u32 busy;			/* a socket hook is at work in it; interrupts leave it alone */
	__u64 written_ns;
	__u64 written_cookie;
	__u32 written_request;
	__u32 serves;			/* it picked up by a blocking read, and has not answered */
	__u64 group;			/* waiting: address of the run queue of its group ... */
	__u64 group_throttled_ns;	/* ... how long that has been throttled ... */
	__u64 group_lag_ns;		/* ... and how far the clock of that was behind */
	__u64 told_ns;			/* when the last record left */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

/* Stretches of time that one CPU's log goes back. A power of two. */
#define CPU_LOG_ENTRIES 256

/* From start_ns on the CPU ran threads of the cgroup, or of who IDLE and KERNEL mean. */
struct occupant {
	__u64 start_ns;
	__u64 cgroup_id;
};

#define OCCUPANT_IDLE (~0ULL)
#define OCCUPANT_KERNEL (~1ULL)

/*
 * Who had a CPU, newest at `head`. Times are kept only while somebody waits: an entry that was made
 * when nobody did has start_ns 0, that is, before any wait that is under way.
 */
struct cpu_log {
	__u32 waiting;	/* watched threads that wait for this CPU */
	__u32 head;
	__u64 _pad[7];	/* a cache line */
	struct occupant entries[CPU_LOG_ENTRIES];
};

/* One per possible CPU; user space sets the number. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_log);
} cpu_logs SEC(".maps");

enum stream_phase {
	STREAM_NEW = 0,
	STREAM_PICKED_UP,	/* a thread has read of a request */
	STREAM_ANSWERED,	/* a thread has written since */
};

/* A connection that the HTTP probe follows, on the side of the server. */
struct stream {
	__u64 cookie;
	__u32 phase;
	__u32 request;		/* picked up last, from 1 */
	__u32 written_seq;	/* behind the last byte written, when it was */
	__u32 _pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct stream);
} streams SEC(".maps");

/* The HTTP probe's states of connections: user space puts those very maps here. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct followed);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct followed_transcript);
} transcripts SEC(".maps");

#endif
