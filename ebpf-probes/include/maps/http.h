/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The maps of the HTTP probe, and the state that it keeps for each connection. */
#ifndef HEADSPAN_MAPS_HTTP_H
#define HEADSPAN_MAPS_HTTP_H

#include "kernel.h"

#include "events.h"
#include "maps/counters.h"
#include "maps/followed.h"

COUNTERS(http_counters, HTTP_COUNTERS);

/*
 * The bytes that pass in one direction, from the first byte of a request or response on. The first
 * ones are kept in a buffer, each at its place by sequence number, however they are cut up and in
 * whatever order they pass.
 */
struct window {
	__u32 seq;	/* of the first byte: the buffer's beginning */
	__u32 next;	/* behind the last byte seen */
	__u32 have;	/* bytes in the buffer, without a gap */
	__u32 ahead;	/* bytes behind a gap are in the buffer too, marked in a bitmap */
};

/* How the end of a response shows. */
enum ending {
	ENDING_UNKNOWN = 0,	/* not looked for yet, or its head is not there yet */
	ENDING_BY_LENGTH,	/* its head says how long it is: bytes of the body are of no interest */
	ENDING_BY_BYTES,	/* chunks, or cannot be told: event.last_bytes are kept */
};

/* include/net/tcp.h has 1 GiB as the largest window; nobody gets near it between two packets. */
#define SEQUENCE_JUMP_MAX (1 << 28)

/*
 * A connection, kept in its socket. Who writes what: see http.bpf.c.
 *
 * The fields behind `event` are also the room that the verifier wants to see behind the last byte
 * of event.head, because it does not know that the pieces written there end in time.
 */
struct connection {
	struct http_exchange_event event;
	struct window request;
	struct window response;
	__u64 request_ahead[HTTP_HEAD_BYTES / 64];
	__u64 response_ahead[HTTP_RESPONSE_BYTES / 64];
	__u64 told_bytes;	/* response_bytes in the exchange's record */
	__u64 swept_bytes;	/* what the last sweep told; written by sweeps only */
	__u32 told_length;	/* response.have there */
	__u32 told_gap;		/* bytes were missing there */
	__u32 swept_length;
	__u32 swept_exchange;
	__u32 first_seq;	/* of the connection, from client to server */
	__u32 open;		/* a head has begun and the final response has not */
	__u32 counted;		/* this exchange is in open_exchanges */
	__u32 method_known;	/* the request begins with a method */
	__u32 head_done;	/* no further byte of the request is of interest */
	__u32 searched;		/* the kept part of the head has no empty line */
	__u32 parts_next;	/* offset up to which parts left without a gap */
	__u32 scanned;		/* up to here, the kept part of the request has been searched */
	__u32 head_end;		/* where the first empty line in it ends, or 0 */
	__u32 has_body;		/* what follows there is no head */
	__u32 interim;		/* the buffer begins inside of an interim response */
	__u32 transcribed;	/* it is left, and goes on in a transcript */
	__u32 turns;		/* it is no HTTP, and followed by turns */
	__u32 turn_bytes;	/* how many of the client's first ones are in event.head */
	__u32 ending;		/* enum ending of the response */
	__u32 ended;		/* the last exchange that is not open any more */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connection);
} connections SEC(".maps");

/*
 * Where the state of a connection is put together before its socket gets it. More than one per CPU,
 * because an interrupt may make the next connection while one is being made.
 */
enum {
	NEW_CONNECTIONS = 4,
	CREATE_TRIES = 3,
};

struct new_connection {
	struct connection connection;
	__u32 busy;
	__u32 _pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NEW_CONNECTIONS);
	__type(key, __u32);
	__type(value, struct new_connection);
} new_connections SEC(".maps");

/*
 * Cgroups whose outgoing connections are followed. New cgroups are added here as they are made, so
 * that their first connection is seen; user space adds those that were there before.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u32);
} watched_cgroups SEC(".maps");

/*
 * Cgroup id -> server exchanges with a head and no final response yet; of HTTP/2, streams that the
 * server has not ended yet. The upper half counts connections whose streams are not known, so that
 * the number is not either.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u64);
} open_exchanges SEC(".maps");

/*
 * Both ends of a connection and the first sequence number from client to server, which tells equal
 * addresses in different network namespaces apart.
 */
struct connection_key {
	__u8 client[16];
	__u8 server[16];
	__u16 client_port;
	__u16 server_port;
	__u32 seq;
};

/* Followed client connections of this node, for the server's end to find. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, struct connection_key);
	__type(value, __u32);
} local_clients SEC(".maps");

/*
 * Payload that came with the packet that completes a handshake: the filter sees it on the listening
 * socket, before the connection's own socket exists (the bare ACK was lost or overtaken, or the
 * listener defers its accept). The kernel makes the socket next, in the same softirq on the same
 * CPU, so one place per CPU is enough.
 */
struct early_head {
	struct connection_key key;	/* seq: of the payload */
	__u32 length;
	__u32 _pad;
	__u64 time_ns;
	__u8 bytes[4 * HTTP_HEAD_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct early_head);
} early_heads SEC(".maps");

/* Where the iterator puts together what it tells. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct http_exchange_event);
} open_copy SEC(".maps");

/* The length of an HTTP/2 frame's header. */
#define FRAME_HEADER_BYTES 9

/* Streams of one connection whose ends are awaited at the same time, for open_exchanges. */
#define STREAM_BITS 1024

/* One direction of a transcript; written by whom `busy` admits. */
struct transcript_direction {
	__u32 at;		/* sequence number of the next byte that matters */
	__u32 told;		/* up to which user space knows all that matters */
	__u32 keep;		/* bytes of the current frame still to be kept */
	__u32 header_length;	/* bytes of the next frame's header that were in earlier segments */
	__u32 due;		/* the record in the making is of interest */
	__u32 ending;		/* when `at` is reached, a stream ends */
	__u32 raw;		/* where frames begin is not known */
	__u32 raw_bytes;	/* how much was handed on since */
	__u32 busy;
	__u32 partial;		/* what user space knows ends in the middle of a frame */
	__u32 overtaken;	/* a CPU that was not admitted has handed on its packet raw */
	__u32 raw_until;	/* behind the last byte handed on raw */
	__u32 uncounted;	/* streams began or ended in it that `open` does not have */
	__u32 _pad;
	__u8 header[32];	/* FRAME_HEADER_BYTES, and room for the verifier */
	struct http_bytes_event event;
	__u8 room[128];		/* as in struct connection */
};

/* A connection that user space reads, kept in its socket. */
struct transcript {
	__u64 cookie;
	__u64 cgroup_id;
	struct connection_key key;
	__u32 role;
	__u32 broken;		/* a record was lost */
	__u32 protocol;		/* enum http_protocol */
	__u32 last_stream;	/* the highest number that the client used */
	__u32 open_streams;
	__u32 uncertain;	/* open_streams is not right */
	/* A bit for each stream that is open; behind last_stream, for each that ended already. */
	__u64 open[STREAM_BITS / 64];
	struct transcript_direction directions[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct transcript);
} transcripts SEC(".maps");

/*
 * What user space has to say of a transcript; if it gets lost, that costs nothing but time. Of
 * HTTP/2: where a direction that lost track of its frames may go on, because everything up to there
 * was read and a frame begins there, and which streams were open then. Of HTTP/1: before which byte
 * nothing is of interest. Of both: that nothing is any more.
 */
struct resume_key {
	__u64 cookie;
	__u32 direction;
	__u32 _pad;
};

struct resume_point {
	__u32 seq;
	__u32 leave;
	__u32 counted;		/* the rest is known */
	__u32 last_stream;	/* the highest number that the client had used */
	__u64 open[STREAM_BITS / 64];	/* as in struct transcript */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct resume_key);
	__type(value, struct resume_point);
} resume_points SEC(".maps");

_Static_assert(offsetof(struct connection, event) == offsetof(struct followed, event) &&
		       offsetof(struct transcript, cookie) ==
			       offsetof(struct followed_transcript, cookie) &&
		       offsetof(struct transcript, role) ==
			       offsetof(struct followed_transcript, role),
	       "as maps/followed.h says");

#endif
