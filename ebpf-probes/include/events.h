/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the probes tell user space: the records of their rings and the values of the maps that both
 * sides read. Java mirrors every struct here in a class named *Layout; LayoutsMatchBtfTest compares
 * the two. To add a struct: define it here, add a global to src/layout.bpf.c, write its layout.
 *
 * Rules: only __u8 to __u64, every gap is a field named _pad, records start with their kind.
 * Times are CLOCK_MONOTONIC nanoseconds. TCP sequence numbers and ports are in host byte order,
 * addresses in network byte order; an IPv4 address is written as IPv6 maps it (::ffff:a.b.c.d).
 */
#ifndef HEADSPAN_EVENTS_H
#define HEADSPAN_EVENTS_H

#include <linux/types.h>

/* The first field of every record. */
enum event_kind {
	EVENT_HTTP_EXCHANGE = 1,
	EVENT_HTTP_TAIL = 2,
	EVENT_HTTP_HEAD_PART = 3,
	EVENT_HTTP_TRANSCRIPT = 4,
	EVENT_HTTP_BYTES = 5,
	EVENT_HTTP_TRANSCRIPT_END = 6,
	EVENT_HTTP_TURN = 7,	/* an http_exchange_event, see turns.bpf.h */
	EVENT_EXEC = 16,
	EVENT_EXIT = 17,
	EVENT_CGROUP_CREATED = 18,
	EVENT_CGROUP_REMOVED = 19,
	EVENT_SOCKET_LEFT = 20,
	EVENT_ACCOUNT = 32,
};

/* Which side of a connection a socket is. */
enum http_role {
	HTTP_ROLE_SERVER = 1,
	HTTP_ROLE_CLIENT = 2,
};

/* What became of the connection when a record was written. */
enum http_end {
	HTTP_END_NONE = 0,
	HTTP_END_CLOSED = 1,
	HTTP_END_RESET = 2,
	HTTP_END_LEFT = 3,	/* it goes on, but is not followed any more */
	HTTP_END_TRANSCRIBED = 4,	/* it goes on in a transcript */
};

enum {
	/* Bytes of a request kept with its connection; more leave as http_head_part_event. */
	HTTP_HEAD_BYTES = 1024,
	/* Where a head is cut off. */
	HTTP_HEAD_BYTES_MAX = 16384,
	/* Bytes of a response kept with its connection. */
	HTTP_RESPONSE_BYTES = 256,
	/* Bytes of a transcript in one record. */
	HTTP_TRANSCRIPT_BYTES = 1024,
	/* http_exchange_event.open_at_head if it is not known. */
	HTTP_OPEN_UNKNOWN = 0xffffffff,
};

/* Flags of http_exchange_event and http_tail_event. */
enum http_flag {
	/* The peer's socket is on this node and watched too. */
	HTTP_FLAG_PEER_LOCAL = 1,
	/* Bytes of the response are missing before the last one seen. */
	HTTP_FLAG_RESPONSE_GAP = 2,
};

/*
 * A request and the beginning of its response, written when the first bytes of the final response
 * pass, or when the connection ends before that. It is also the state from which it is written, so
 * the two arrays may hold leftovers behind their lengths. The record ends after head_length bytes
 * of head.
 */
struct http_exchange_event {
	__u32 kind;
	__u32 exchange;		/* number on this connection, from 1 */
	__u64 cookie;		/* of the socket, unique until reboot */
	__u64 cgroup_id;
	__u64 head_ns;		/* first byte of the request */
	__u64 response_ns;	/* first byte of the final response, or 0 */
	__u64 last_ns;		/* last byte so far of the response */
	__u64 end_ns;		/* when the connection ended, or 0 */
	__u64 response_bytes;	/* from the response's first byte to the last one seen */
	__u64 last_bytes;	/* the last 8 of them, the very last in the highest place; only kept
				   for responses of more than HTTP_RESPONSE_BYTES */
	__u8 local_address[16];
	__u8 remote_address[16];
	__u16 local_port;
	__u16 remote_port;
	__u32 head_seq;		/* of the request's first byte */
	__u32 request_next;	/* behind the last byte seen from the requesting side */
	__u32 open_at_head;	/* client: open server exchanges of the cgroup, or HTTP_OPEN_UNKNOWN */
	__u16 head_length;	/* bytes in head, without a gap */
	__u16 response_length;	/* bytes in response, without a gap */
	__u8 role;
	__u8 end;
	__u8 flags;
	__u8 head_parts;	/* how many http_head_part_event belong to it */
	__u8 response[HTTP_RESPONSE_BYTES];
	__u8 head[HTTP_HEAD_BYTES];
};

/*
 * What came of a response after its http_exchange_event: written when the next head begins and the
 * response has grown, when the connection ends, and to the reader of the iterator for every
 * response that has grown.
 */
struct http_tail_event {
	__u32 kind;
	__u32 exchange;
	__u64 cookie;
	__u64 last_ns;
	__u64 end_ns;
	__u64 response_bytes;
	__u64 last_bytes;
	__u16 response_length;
	__u8 end;
	__u8 flags;
	__u32 _pad;
	__u8 response[HTTP_RESPONSE_BYTES];
};

/*
 * Bytes of a request behind the first HTTP_HEAD_BYTES, as they passed: in any order, perhaps more
 * than once. Comes before the http_exchange_event of the same exchange.
 */
struct http_head_part_event {
	__u32 kind;
	__u32 exchange;
	__u64 cookie;
	__u32 offset;		/* from the request's first byte */
	__u16 length;
	__u16 _pad;
	__u8 bytes[HTTP_HEAD_BYTES];
};

/* What a transcript is of. */
enum http_protocol {
	HTTP_PROTOCOL_1 = 1,	/* with requests that do not wait for the answer to the one before */
	HTTP_PROTOCOL_2 = 2,
};

/* Which way bytes went. */
enum http_direction {
	HTTP_FROM_CLIENT = 0,
	HTTP_FROM_SERVER = 1,
};

/*
 * From here on user space reads this connection itself, from its bytes. The exchange that led to
 * it, if there was one, was told before, with HTTP_END_TRANSCRIBED.
 */
struct http_transcript_event {
	__u32 kind;
	__u32 exchange;		/* number of the exchange that led to it, or 0 */
	__u64 cookie;
	__u64 cgroup_id;
	__u64 time_ns;
	__u8 local_address[16];
	__u8 remote_address[16];
	__u16 local_port;
	__u16 remote_port;
	__u32 seq[2];		/* by direction: of the transcript's first byte */
	__u8 role;
	__u8 flags;
	__u8 protocol;
	__u8 _pad;
};

/*
 * Bytes of a transcript as they passed. Of HTTP/1 they are all but those that user space said are of
 * no interest, and the record is raw. Of HTTP/2 they are those of whole frames but for the
 * payload of DATA, which is left out where the kernel knows where frames begin; if it does not, the
 * record is raw and holds whatever passed, in any order and perhaps more than once.
 */
struct http_bytes_event {
	__u32 kind;
	__u32 open_at_head;	/* client: as in http_exchange_event */
	__u64 cookie;
	__u64 time_ns;
	__u32 from_seq;		/* nothing of interest is between this number and seq */
	__u32 seq;		/* of the first byte */
	__u32 until_seq;	/* bytes of this direction up to here had passed */
	__u16 length;
	__u8 direction;
	__u8 raw;
	__u8 bytes[HTTP_TRANSCRIPT_BYTES];
};

/* The connection of a transcript ended, or is not followed any more. */
struct http_transcript_end_event {
	__u32 kind;
	__u32 end;		/* enum http_end */
	__u64 cookie;
	__u64 end_ns;
};

/* Indexes of the per-CPU array http_counters. */
enum http_counter {
	HTTP_SERVER_CONNECTIONS = 0,	/* accepted connections followed */
	HTTP_CLIENT_CONNECTIONS = 1,	/* outgoing connections followed */
	HTTP_NOT_HTTP = 2,		/* connections left: the first bytes are no HTTP/1 method */
	HTTP_TLS = 3,			/* connections left: TLS */
	HTTP_HTTP2 = 4,			/* connections that carry HTTP/2 */
	HTTP_SERVER_FIRST = 5,		/* connections left: an answer before any request */
	HTTP_NO_RESPONSE_HEAD = 6,	/* connections left: the answer is no HTTP/1 response */
	HTTP_UPGRADED = 7,		/* connections left: 101 Switching Protocols */
	HTTP_STORAGE_FAILED = 8,	/* connections not followed: no memory for their state */
	HTTP_EXCHANGE_DROPPED = 9,	/* ring full: http_exchange_event */
	HTTP_TAIL_DROPPED = 10,		/* ring full: http_tail_event */
	HTTP_HEAD_PART_DROPPED = 11,	/* ring full: http_head_part_event */
	HTTP_BYTES_NOT_HEAD = 12,	/* segments where a head could begin and none did */
	HTTP_SEQUENCE_REFUSED = 13,	/* segments too far ahead to be of this connection */
	HTTP_EARLY_HEADS = 14,		/* heads that came with the last packet of the handshake */
	HTTP_CLIENT_NOT_MARKED = 15,	/* map local_clients full */
	HTTP_CGROUP_NOT_COUNTED = 16,	/* map open_exchanges full */
	HTTP_REQUEST_LOST = 17,		/* connections left: bytes of a request passed unseen */
	HTTP_BYTES_DROPPED = 18,	/* connections left: ring full, http_bytes_event */
	HTTP_TRANSCRIPT_LOST = 19,	/* connections left: their beginning was not kept whole */
	HTTP_TRANSCRIPT_RAW = 20,	/* times a transcript lost track of where frames begin */
	HTTP_TRANSCRIPT_TOO_LONG = 21,	/* connections left: too many bytes without that */
	HTTP_BY_TURNS = 22,		/* outgoing connections that carry no HTTP, followed by turns */
	HTTP_PIPELINES = 23,		/* connections with pipelined requests, read as transcripts */
	HTTP_COUNTERS = 24,
};

/* Small numbers for tenants. User space gives out those from TENANT_FIRST on. */
enum tenant_number {
	TENANT_UNKNOWN = 0,	/* a cgroup that nobody has looked up yet */
	TENANT_IDLE = 1,	/* nobody: the CPU was idle, on its way to wake up */
	TENANT_KERNEL = 2,	/* kernel threads */
	TENANT_HOST = 3,	/* processes of the machine itself, in no container */
	TENANT_UNTENANTED = 4,	/* containers of which the platform names no tenant */
	TENANT_FIRST = 16,
};

/* What ended a thread's period of account. */
enum account_cause {
	ACCOUNT_PICKUP = 1,	/* it read the first bytes of a request */
	ACCOUNT_ANSWER = 2,	/* it wrote to a connection from which a request had been read */
	ACCOUNT_PERIOD = 3,	/* time: there was something to tell */
	ACCOUNT_EXIT = 4,	/* the thread ended */
	ACCOUNT_CALL = 5,	/* it wrote the head of a call, after a pickup by a blocking read */
};

enum {
	/* Culprits told apart in one record; one more begins the next record. */
	ACCOUNT_WAITS = 8,
};

/* How long a thread was runnable while threads of one tenant had its CPU. */
struct account_wait {
	__u32 tenant;
	__u32 count;		/* how many waits */
	__u64 ns;
	__u64 woken_ns;		/* the part of it since the thread's last wake-up */
};

/*
 * What became of one thread's time since its last record, or since it is watched. It ends behind
 * the waits that there are.
 */
struct account_event {
	__u32 kind;
	__u32 tid;		/* in the first namespace, as the kernel's own pid */
	__u32 request;		/* number on the connection, from 1; 0 without cookie; of a call
				   the sequence number of its head */
	__u32 tenant;		/* whose thread it is */
	__u64 cgroup_id;
	__u64 cookie;		/* of the socket read or written; 0 if that was not the cause */
	__u64 from_ns;
	__u64 time_ns;		/* when what caused the record happened */
	__u64 woken_ns;		/* when the thread last woke up; 0 if not seen */
	__u64 cpu_ns;
	__u64 blocked_ns;
	__u64 throttled_ns;	/* runnable, but its group's quota was used up */
	__u64 throttled_woken_ns;	/* the part of it since woken_ns */
	__u16 cause;
	__u16 wait_count;	/* filled places of waits */
	__u16 helped;		/* it slept, and a thread of its own process woke it up */
	__u16 blocking;		/* pickup: by a read that waits for bytes if there are none */
	struct account_wait waits[ACCOUNT_WAITS];
};

/* Key and value of the map matrix. */
struct matrix_key {
	__u32 victim;
	__u32 culprit;
};

struct matrix_cell {
	__u64 ns;
	__u64 count;
};

/* Value of the map tenants. */
struct tenant_entry {
	__u32 tenant;
	__u32 watched;		/* whether threads of the cgroup have accounts */
};

/* Indexes of the per-CPU array sched_counters. */
enum sched_counter {
	SCHED_RECORDS_REFUSED = 0,	/* ring full; the amounts are told later, the cause is not */
	SCHED_THREADS_REFUSED = 1,	/* threads without account: no memory */
	SCHED_LONG_WAITS = 2,		/* waits of which the beginning's culprits are not known */
	SCHED_WAITS_NOT_CHARGED = 3,	/* stretches of waiting neither in the matrix nor in a record */
	SCHED_STREAMS_REFUSED = 4,	/* requests without account: no memory */
	SCHED_COUNTERS = 5,
};

/* A process replaced its image. */
struct exec_event {
	__u32 kind;
	__u32 pid;
	__u64 time_ns;
	__u64 cgroup_id;
	__u8 filename[256];	/* ends with 0; cut off if longer */
};

/* The last thread of a process ended. */
struct exit_event {
	__u32 kind;
	__u32 pid;
	__u64 time_ns;
	__u64 cgroup_id;
	__u32 exit_code;	/* signal in the low 7 bits, status in the next byte */
	__u32 _pad;
};

/* A cgroup of the v2 hierarchy was made or removed. */
struct cgroup_event {
	__u32 kind;
	__u32 _pad;
	__u64 time_ns;
	__u64 cgroup_id;
	__u8 path[1024];	/* from the hierarchy's root, ends with 0; cut off if longer */
};

/* A process that ends closed a connection on its way out: whoever waited on it waits in vain. */
struct socket_left_event {
	__u32 kind;
	__u32 pid;
	__u64 time_ns;
	__u64 cookie;		/* of the socket */
	__u64 cgroup_id;	/* of the process */
	__u32 exit_code;	/* as in exit_event */
	__u32 oom_killed;	/* 1 if the kernel killed it for memory */
};

/* Indexes of the per-CPU array lifecycle_counters. */
enum lifecycle_counter {
	LIFECYCLE_DROPPED = 0,		/* ring full */
	LIFECYCLE_COUNTERS = 1,
};

#endif
