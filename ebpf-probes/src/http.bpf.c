// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * HTTP/1.1 requests and the beginnings of their responses, seen where packets enter and leave
 * sockets. Connections that turn out to be HTTP/2, or to have pipelined requests, go on as
 * transcripts, see transcript.bpf.h.
 *
 * Why these hooks: cgroup_skb at the root of the v2 hierarchy costs less than any other place that
 * sees payload, needs neither kprobes nor fentry, and taxes nothing that is no socket. sockops
 * tells when connections begin and end, so that their state can be made before the first byte and
 * never has to be guessed.
 *
 * How it works. A followed connection has a struct connection in its socket. Bytes of the request
 * are put at their places in event.head by sequence number; nothing searches them for the end of
 * the head, because that costs more than all the rest: whatever passes up to the response belongs
 * to the request. All that is looked for is an empty line with another head behind it. The first bytes of the response that is no interim one (1xx) complete the
 * exchange: one record leaves with the head, those bytes, and the times. What follows of the
 * response only moves counters. The next bytes of the requesting side begin the next exchange; if
 * the response grew after its record, a second, short one tells so. User space reads lengths from
 * the heads, knows from them where response and request should have ended, and drops what does not
 * fit.
 *
 * Who writes what. Packets of one direction of a connection can be here on two CPUs at once, and
 * both directions at the same time; the socket's lock is not held. Bytes of a window are claimed
 * by compare-and-swap (have) or atomic or (ahead). `open` goes 0 -> 1 and 1 -> 0 by
 * compare-and-swap; who wins resets what the next phase uses: the one that opens, the response's
 * window; the one that ends, the request's. HTTP itself orders the two: a server answers what it
 * has read, a client reads the answer before the next request. Where that does not hold (pipelined
 * requests, answers before the end of a body), request_next shows it to user space.
 */
#include "kernel.h"

#include "events.h"
#include "maps/http.h"
#include "maps/ring.h"

/* How a response is told from something else, and a final one from an interim one. */
#define STATUS_LINE_BYTES 12
/* Where in it the status is. */
#define STATUS_AT 9
/* How often one packet may fill the response's buffer with interim responses. */
#define INTERIM_STEPS 8
/* Pieces in which bytes are put behind others; also see struct connection. */
#define PIECE_BYTES 128

_Static_assert(sizeof(struct connection) - sizeof(struct http_exchange_event) >= PIECE_BYTES,
	       "room behind event.head");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "methods are compared as numbers");

/* Makes a function one that the verifier looks at on its own, once, and not on each way to it. */
#define SEPARATE __noinline

/* The context as the kernel has it, without a call (6.2). Older kernels take another object. */
#ifndef HEADSPAN_PLAIN
extern void *bpf_cast_to_kern_ctx(void *context) __ksym;
#endif

static __always_inline __u32 compare_and_swap(__u32 *at, __u32 expected, __u32 value)
{
	return __sync_val_compare_and_swap(at, expected, value);
}

static __always_inline void count(__u32 index)
{
	count_in(&http_counters, index);
}

/* --- Bytes at their places ------------------------------------------------------------------ */

/* Where bytes come from: a packet, or memory of early_heads if there is none. */
struct source {
	struct __sk_buff *skb;
	const struct early_head *early;
};

/* Payload of one packet. */
struct segment {
	__u32 seq;
	__u32 length;
	__u32 from;	/* offset in the source */
};

static __always_inline long read_bytes(const struct source *source, __u32 from, void *to,
				       __u32 length)
{
	if (source->skb)
		return bpf_skb_load_bytes(source->skb, from, to, length);
	from &= sizeof(source->early->bytes) - 1;
	return bpf_probe_read_kernel(to, length, source->early->bytes + from);
}

/* Makes the verifier see that 1 <= value <= limit, a power of two, for a value that is so. */
#define BOUND(value, limit)                    \
	asm volatile("%0 += -1\n"              \
		     "%0 &= %1\n"              \
		     "%0 += 1"                 \
		     : "+r"(value)             \
		     : "i"((limit) - 1))

/* Reads `length` bytes into `buffer` at `at`; at + length <= size, length > 0. */
static __always_inline long put(const struct source *source, __u32 from, __u8 *buffer, __u64 at,
				__u64 length, const __u32 size)
{
	__u64 piece = length;

	if (at == 0) {
		BOUND(piece, size);
		return read_bytes(source, from, buffer, piece);
	}
	for (__u32 i = 0; i < size / PIECE_BYTES && length > 0; i++) {
		piece = length < PIECE_BYTES ? length : PIECE_BYTES;
		BOUND(piece, PIECE_BYTES);
		at &= size - 1;
		if (read_bytes(source, from, buffer + at, piece) < 0)
			return -1;
		from += piece;
		at += piece;
		length -= piece;
	}
	return 0;
}

/* Number of the lowest bit that is 0; 64 if none is. Without a branch: the verifier counts them. */
static __always_inline __u32 lowest_zero(__u64 bits)
{
	__u64 ones = (~bits & (bits + 1)) - 1; /* the ones below it */

	ones -= ones >> 1 & 0x5555555555555555ULL;
	ones = (ones & 0x3333333333333333ULL) + (ones >> 2 & 0x3333333333333333ULL);
	ones = (ones + (ones >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return ones * 0x0101010101010101ULL >> 56;
}

/* The bits of word `word` of a bitmap that stand for bytes before `end`. Without a branch, too. */
static __always_inline __u64 bits_before(__u32 end, __u32 word)
{
	__s64 bits = (__s64)end - word * 64;
	__s64 negative = bits >> 63;

	/* Or clang sees what this is, and compares. */
	barrier_var(negative);
	bits = (bits & ~negative) - 64; /* at least 0 */
	negative = bits >> 63;
	barrier_var(negative);
	bits = (bits & negative) + 64; /* at most 64 */
	return ((1ULL << (bits & 63)) - 1) | -((__u64)bits >> 6);
}

/* Marks the bytes [from, to) as there, though some before them are missing. */
static __always_inline void mark_ahead(struct window *window, __u64 *ahead, __u32 from, __u32 to,
				       const __u32 size)
{
	/* Before the bits: whoever closes the gap meanwhile has to look for them. */
	*(volatile __u32 *)&window->ahead = 1;
	for (__u32 i = 0; i < size / 64; i++)
		__sync_fetch_and_or(&ahead[i], bits_before(to, i) & ~bits_before(from, i));
}

/* Takes the marked bytes that follow without a gap now. */
static __always_inline void take_ahead(struct window *window, __u64 *ahead, const __u32 size)
{
	__u32 before = *(volatile __u32 *)&window->have;
	__u32 have = before;

	/* Each round goes to the end of a word, or to the next gap and stays there. */
	for (__u32 i = 0; i < size / 64; i++) {
		__u64 word = ahead[have / 64 & (size / 64 - 1)];

		/* Nothing follows the last word. */
		word &= ((__s64)have - size) >> 63;
		have += lowest_zero(word >> (have & 63));
	}
	/* If this fails, who was quicker looks for marked bytes behind his own. */
	if (have != before)
		compare_and_swap(&window->have, before, have);
}

SEPARATE int mark_request_ahead(struct connection *c, __u32 from, __u32 to)
{
	if (c)
		mark_ahead(&c->request, c->request_ahead, from, to, HTTP_HEAD_BYTES);
	return 0;
}

SEPARATE int mark_response_ahead(struct connection *c, __u32 from, __u32 to)
{
	if (c)
		mark_ahead(&c->response, c->response_ahead, from, to, HTTP_RESPONSE_BYTES);
	return 0;
}

SEPARATE int take_request_ahead(struct connection *c)
{
	if (c)
		take_ahead(&c->request, c->request_ahead, HTTP_HEAD_BYTES);
	return 0;
}

SEPARATE int take_response_ahead(struct connection *c)
{
	if (c)
		take_ahead(&c->response, c->response_ahead, HTTP_RESPONSE_BYTES);
	return 0;
}

/* Puts bytes `at` bytes behind the beginning of a window; at < size, length > 0. */
static __always_inline void place(const struct source *source, struct connection *c,
				  struct window *window, __u8 *buffer, __u32 at, __u32 from,
				  __u32 length, const __u32 size)
{
	const bool is_request = size == HTTP_HEAD_BYTES;
	__u32 have = window->have;
	__u32 end;

	if (length > size - at)
		length = size - at;
	end = at + length;
	if (end <= have)
		return;
	if (put(source, from, buffer, at, length, size) < 0)
		return;
	if (at > have || compare_and_swap(&window->have, have, end) != have)
		is_request ? mark_request_ahead(c, at, end) : mark_response_ahead(c, at, end);
	if (window->ahead)
		is_request ? take_request_ahead(c) : take_response_ahead(c);
}

SEPARATE int place_request_packet(struct __sk_buff *skb, struct connection *c, __u32 at, __u32 from,
				  __u32 length)
{
	struct source source = { .skb = skb };

	if (c && at < HTTP_HEAD_BYTES && length > 0)
		place(&source, c, &c->request, c->event.head, at, from, length, HTTP_HEAD_BYTES);
	return 0;
}

SEPARATE int place_request_early(const struct early_head *early, struct connection *c, __u32 at,
				 __u32 from, __u32 length)
{
	struct source source = { .early = early };

	if (c && early && at < HTTP_HEAD_BYTES && length > 0)
		place(&source, c, &c->request, c->event.head, at, from, length, HTTP_HEAD_BYTES);
	return 0;
}

SEPARATE int place_response_packet(struct __sk_buff *skb, struct connection *c, __u32 at,
				   __u32 from, __u32 length)
{
	struct source source = { .skb = skb };

	if (c && at < HTTP_RESPONSE_BYTES && length > 0)
		place(&source, c, &c->response, c->event.response, at, from, length,
		      HTTP_RESPONSE_BYTES);
	return 0;
}

/* What nearly always happens: the first packet of a request or response is the first to come. */
static __always_inline bool place_first(struct __sk_buff *skb, struct window *window, __u8 *buffer,
					__u32 from, __u64 length, const __u32 size)
{
	if (length > size)
		length = size;
	BOUND(length, size);
	return bpf_skb_load_bytes(skb, from, buffer, length) == 0 &&
	       compare_and_swap(&window->have, 0, length) == 0;
}

static __always_inline void place_request(const struct source *source, struct connection *c,
					  __u32 at, const struct segment *segment)
{
	if (!source->skb) {
		place_request_early(source->early, c, at, segment->from, segment->length);
		return;
	}
	if (at == 0 && c->request.have == 0 && c->request.ahead == 0 &&
	    place_first(source->skb, &c->request, c->event.head, segment->from, segment->length,
			HTTP_HEAD_BYTES))
		return;
	place_request_packet(source->skb, c, at, segment->from, segment->length);
}

static __always_inline void place_response(struct __sk_buff *skb, struct connection *c,
					   struct segment segment)
{
	__s32 at = segment.seq - c->response.seq;

	if (at < 0) {
		segment.from -= at;
		segment.length += at;
		at = 0;
	}
	if ((__s32)segment.length <= 0)
		return;
	if (at == 0 && c->response.have == 0 && c->response.ahead == 0 &&
	    place_first(skb, &c->response, c->event.response, segment.from, segment.length,
			HTTP_RESPONSE_BYTES))
		return;
	place_response_packet(skb, c, at, segment.from, segment.length);
}

/*
 * Takes note of bytes up to `after`. Packets on their way out come one after the other, those that
 * come in may be on two CPUs.
 *
 * Returns how many bytes are new; too many if they cannot be of this connection.
 */
static __always_inline __s32 advance(struct window *window, __u32 after, const bool outgoing)
{
	__s32 growth = 0;

	for (int i = 0; i < 8; i++) {
		__u32 before = *(volatile __u32 *)&window->next;

		growth = after - before;
		if (growth <= 0 || growth > SEQUENCE_JUMP_MAX)
			return growth;
		if (outgoing) {
			window->next = after;
			return growth;
		}
		if (compare_and_swap(&window->next, before, after) == before)
			return growth;
	}
	return growth;
}

static __always_inline void clear(struct window *window, __u64 *ahead, const __u32 size)
{
	window->have = 0;
	if (window->ahead) {
		window->ahead = 0;
		for (__u32 i = 0; i < size / 64; i++)
			ahead[i] = 0;
	}
}

/* --- Telling user space --------------------------------------------------------------------- */

SEPARATE int tell_tail(struct connection *c, __u32 end, __u64 end_ns)
{
	struct http_tail_event *tail;

	if (!c)
		return 0;
	tail = bpf_ringbuf_reserve(&ring, sizeof(*tail), 0);
	if (!tail) {
		count(HTTP_TAIL_DROPPED);
		return 0;
	}
	tail->kind = EVENT_HTTP_TAIL;
	tail->exchange = c->event.exchange;
	tail->cookie = c->event.cookie;
	tail->last_ns = c->event.last_ns;
	tail->end_ns = end_ns;
	tail->response_bytes = c->event.response_bytes;
	tail->last_bytes = c->event.last_bytes;
	tail->response_length = c->response.have != c->told_length ? c->response.have : 0;
	tail->end = end;
	tail->flags = c->event.flags;
	tail->_pad = 0;
	__builtin_memcpy(tail->response, c->event.response, sizeof(tail->response));
	bpf_ringbuf_submit(tail, ring_flags());
	return 0;
}

/* Whether there is more to tell of a response than its exchange's record did. */
static __always_inline bool is_grown(const struct connection *c)
{
	return c->event.response_bytes != c->told_bytes || c->response.have != c->told_length ||
	       c->told_gap;
}

static __always_inline void uncount_open(struct connection *c)
{
	__u64 *open;

	if (!c->counted)
		return;
	c->counted = 0;
	open = bpf_map_lookup_elem(&open_exchanges, &c->event.cgroup_id);
	if (open)
		__sync_fetch_and_add(open, -1);
}

static __always_inline void count_open(struct connection *c)
{
	__u64 *open = bpf_map_lookup_elem(&open_exchanges, &c->event.cgroup_id);

	if (!open)
		return;
	__sync_fetch_and_add(open, 1);
	c->counted = 1;
}

#include "transcript.bpf.h"
#include "turns.bpf.h"

/* Makes the request's window ready for the next head, which begins behind all that was seen. */
static __always_inline void await_head(struct connection *c)
{
	c->request.seq = c->request.next;
	clear(&c->request, c->request_ahead, HTTP_HEAD_BYTES);
	c->method_known = 0;
	c->head_done = 0;
	c->searched = 0;
	c->scanned = 0;
	c->head_end = 0;
	c->has_body = 0;
	c->parts_next = HTTP_HEAD_BYTES;
	c->event.head_parts = 0;
}

/* Ends the open exchange; called by who has set `open` back to 0. */
static __always_inline void tell_exchange(struct connection *c, __u32 end, __u64 end_ns)
{
	__u64 length;

	if (c->request.ahead)
		take_request_ahead(c);
	length = c->request.have;
	c->event.request_next = c->request.next;
	c->event.head_length = length;
	c->event.response_length = c->response.have;
	c->event.end = end;
	c->event.end_ns = end_ns;
	/* Before the record: if it grows meanwhile, the tail tells again what the record told. */
	c->told_bytes = *(volatile __u64 *)&c->event.response_bytes;
	c->told_length = c->event.response_length;
	if (length == 0)
		length = 1; /* What BOUND can express; head_length says that it is not one. */
	BOUND(length, HTTP_HEAD_BYTES);
	if (bpf_ringbuf_output(&ring, &c->event,
			       offsetof(struct http_exchange_event, head) + length,
			       ring_flags()) < 0)
		count(HTTP_EXCHANGE_DROPPED);
	c->told_gap = c->event.flags & HTTP_FLAG_RESPONSE_GAP;
	uncount_open(c);
	await_head(c);
}

static __always_inline struct connection_key client_key(const struct connection *c)
{
	struct connection_key key;

	__builtin_memcpy(key.client, c->event.local_address, sizeof(key.client));
	__builtin_memcpy(key.server, c->event.remote_address, sizeof(key.server));
	key.client_port = c->event.local_port;
	key.server_port = c->event.remote_port;
	key.seq = c->first_seq;
	return key;
}

/* Leaves a connection: its state goes, and its packets cost no more than those of others. */
static __noinline int leave(struct connection *c, struct bpf_sock *sk)
{
	if (compare_and_swap(&c->open, 1, 0) == 1)
		uncount_open(c);
	if (c->event.role == HTTP_ROLE_CLIENT) {
		struct connection_key key = client_key(c);

		bpf_map_delete_elem(&local_clients, &key);
	}
	bpf_sk_storage_delete(&connections, sk);
	return 0;
}

/* Leaves a connection that goes on. */
static __always_inline void abandon(struct connection *c, struct bpf_sock *sk, __u32 reason)
{
	count(reason);
	if (c->event.exchange > 0)
		tell_tail(c, HTTP_END_LEFT, 0);
	leave(c, sk);
}

/*
 * Goes on with a connection as a transcript. `client_seq` and `server_seq` are where it begins.
 *
 * Two CPUs may come to this at once, with a packet of the client and one of the server. Both have
 * placed theirs before. The one that comes second gets the transcript if it is there, and hands its
 * packet on; if it gets NULL, the first one finds the packet placed when it looks behind this.
 */
static __noinline struct transcript *begin_transcript(struct connection *c, struct bpf_sock *sk,
						      __u32 client_seq, __u32 server_seq,
						      const enum http_protocol protocol)
{
	struct http_transcript_event *event;
	struct transcript *t;

	__u32 stage = compare_and_swap(&c->transcribed, 0, 1);

	if (stage != 0)
		return stage == 2 ? bpf_sk_storage_get(&transcripts, sk, NULL, 0) : NULL;
	t = bpf_sk_storage_get(&transcripts, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!t) {
		count(HTTP_STORAGE_FAILED);
		leave(c, sk);
		return NULL;
	}
	t->cookie = c->event.cookie;
	t->cgroup_id = c->event.cgroup_id;
	t->role = c->event.role;
	t->protocol = protocol;
	if (t->role == HTTP_ROLE_CLIENT)
		t->key = client_key(c);
	t->directions[HTTP_FROM_CLIENT].at = client_seq;
	t->directions[HTTP_FROM_CLIENT].told = client_seq;
	if (protocol == HTTP_PROTOCOL_2) {
		t->directions[HTTP_FROM_CLIENT].keep = PREFACE_BYTES;
		/* Told even if it is all of its packet: it is no frame, which would say so itself. */
		t->directions[HTTP_FROM_CLIENT].due = 1;
	} else {
		t->directions[HTTP_FROM_CLIENT].raw = 1;
		t->directions[HTTP_FROM_SERVER].raw = 1;
	}
	t->directions[HTTP_FROM_SERVER].at = server_seq;
	t->directions[HTTP_FROM_SERVER].told = server_seq;
	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event) {
		count(HTTP_BYTES_DROPPED);
		bpf_sk_storage_delete(&transcripts, sk);
		leave(c, sk);
		return NULL;
	}
	event->kind = EVENT_HTTP_TRANSCRIPT;
	event->exchange = c->event.exchange;
	event->cookie = c->event.cookie;
	event->cgroup_id = c->event.cgroup_id;
	event->time_ns = bpf_ktime_get_ns();
	__builtin_memcpy(event->local_address, c->event.local_address,
			 sizeof(event->local_address));
	__builtin_memcpy(event->remote_address, c->event.remote_address,
			 sizeof(event->remote_address));
	event->local_port = c->event.local_port;
	event->remote_port = c->event.remote_port;
	event->seq[HTTP_FROM_CLIENT] = client_seq;
	event->seq[HTTP_FROM_SERVER] = server_seq;
	event->role = c->event.role;
	event->flags = c->event.flags & HTTP_FLAG_PEER_LOCAL;
	event->protocol = protocol;
	event->_pad = 0;
	bpf_ringbuf_submit(event, ring_flags());
	count(protocol == HTTP_PROTOCOL_2 ? HTTP_HTTP2 : HTTP_PIPELINES);
	/* What follows finds the transcript; who still has this state looks at `transcribed`. */
	compare_and_swap(&c->transcribed, 1, 2); /* with a barrier, unlike a store */
	if (protocol == HTTP_PROTOCOL_1)
		lose_count(t);
	if (compare_and_swap(&c->open, 1, 0) == 1)
		uncount_open(c);
	bpf_sk_storage_delete(&connections, sk);
	return t;
}

/*
 * Hands on the beginning of a transcript that came before the packet with which it was known. Where
 * the direction goes on from there, unless another CPU has brought it further.
 */
SEPARATE int tell_kept_head(struct transcript *t, struct connection *c)
{
	struct transcript_direction *d;
	struct http_bytes_event *event;

	if (!t || !c)
		return 0;
	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event) {
		t->broken = 1;
		return 0;
	}
	begin_record(t, event, HTTP_FROM_CLIENT, c->event.head_ns);
	event->seq = c->request.seq;
	event->from_seq = c->request.seq;
	event->until_seq = c->request.seq + c->request.have;
	event->length = c->request.have;
	event->raw = 1;
	bpf_probe_read_kernel(event->bytes, sizeof(event->bytes), c->event.head);
	bpf_ringbuf_submit(event, ring_flags());
	if (t->protocol == HTTP_PROTOCOL_1)
		return 0;
	d = &t->directions[HTTP_FROM_CLIENT];
	if (!enter(d))
		return 0;
	if (!d->raw && d->at == c->request.seq && c->request.have <= PREFACE_BYTES) {
		d->at = c->request.seq + c->request.have;
		d->told = d->at;
		d->keep = PREFACE_BYTES - c->request.have;
		d->partial = d->keep > 0;
	} else if (!d->raw && d->at == c->request.seq) {
		begin_raw(t, d, c->request.seq + c->request.have);
	}
	*(volatile __u32 *)&d->busy = 0;
	return 0;
}

/* Likewise what the server said. */
SEPARATE int tell_kept_response(struct transcript *t, struct connection *c)
{
	struct transcript_direction *d;
	struct http_bytes_event *event;

	if (!t || !c || c->response.have == 0)
		return 0;
	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event) {
		t->broken = 1;
		return 0;
	}
	begin_record(t, event, HTTP_FROM_SERVER, c->event.response_ns ?: c->event.last_ns);
	event->seq = c->response.seq;
	event->from_seq = c->response.seq;
	event->until_seq = c->response.seq + c->response.have;
	event->length = c->response.have;
	event->raw = 1;
	bpf_probe_read_kernel(event->bytes, HTTP_RESPONSE_BYTES, c->event.response);
	bpf_ringbuf_submit(event, ring_flags());
	if (t->protocol == HTTP_PROTOCOL_1)
		return 0;
	d = &t->directions[HTTP_FROM_SERVER];
	if (!enter(d))
		return 0;
	if (!d->raw && d->at == c->response.seq)
		begin_raw(t, d, c->response.seq + c->response.have);
	*(volatile __u32 *)&d->busy = 0;
	return 0;
}

/* Hands a packet on that got here on the way of a connection and is of a transcript now. */
static __always_inline void follow_transcript(const struct source *source, struct bpf_sock *sk,
					      const struct segment *segment, __u64 time_ns,
					      __u32 direction)
{
	struct transcript *t = bpf_sk_storage_get(&transcripts, sk, NULL, 0);

	if (t)
		transcribe(source, sk, t, segment, time_ns, direction);
}

/* --- Requests ------------------------------------------------------------------------------- */

enum beginning {
	BEGINNING_UNKNOWN,	/* what is there so far fits */
	BEGINNING_METHOD,
	BEGINNING_TLS,
	BEGINNING_HTTP2,
	BEGINNING_OTHER,
};

/* Whether the first min(have, 8, length of text) bytes are those of `text`. */
#define STARTS_WITH(first, have, text)                                                       \
	((((first) ^ text_as_number(text, sizeof(text) - 1)) & mask_of(have) &               \
	  mask_of(sizeof(text) - 1)) == 0)

static __always_inline __u64 mask_of(__u32 bytes)
{
	return bytes >= 8 ? ~0ULL : (1ULL << (bytes * 8)) - 1;
}

static __always_inline __u64 text_as_number(const char *text, __u32 length)
{
	__u64 number = 0;

#pragma unroll
	for (__u32 i = 0; i < 8; i++)
		if (i < length)
			number |= (__u64)(__u8)text[i] << (i * 8);
	return number;
}

#define RETURN_IF_METHOD(first, have, text)                                     \
	if (STARTS_WITH(first, have, text))                                     \
		return (have) >= sizeof(text) - 1 || (have) >= 8 ? BEGINNING_METHOD : \
								   BEGINNING_UNKNOWN

/* Judges the first bytes of what should be a request; `have` of the eight are there, or more. */
static __always_inline enum beginning judge_request(__u64 first, __u32 have)
{
	RETURN_IF_METHOD(first, have, "GET ");
	RETURN_IF_METHOD(first, have, "POST ");
	RETURN_IF_METHOD(first, have, "PUT ");
	RETURN_IF_METHOD(first, have, "HEAD ");
	RETURN_IF_METHOD(first, have, "DELETE ");
	RETURN_IF_METHOD(first, have, "PATCH ");
	RETURN_IF_METHOD(first, have, "OPTIONS ");
	if ((first & 0xff) == 0x16)
		return BEGINNING_TLS;
	RETURN_IF_METHOD(first, have, "CONNECT ");
	RETURN_IF_METHOD(first, have, "TRACE ");
	RETURN_IF_METHOD(first, have, "QUERY ");
	/* WebDAV, RFC 4918, 3253 and 5323 */
	RETURN_IF_METHOD(first, have, "PROPFIND");
	RETURN_IF_METHOD(first, have, "PROPPATC");
	RETURN_IF_METHOD(first, have, "MKCOL ");
	RETURN_IF_METHOD(first, have, "COPY ");
	RETURN_IF_METHOD(first, have, "MOVE ");
	RETURN_IF_METHOD(first, have, "LOCK ");
	RETURN_IF_METHOD(first, have, "UNLOCK ");
	RETURN_IF_METHOD(first, have, "REPORT ");
	RETURN_IF_METHOD(first, have, "SEARCH ");
	/* No method is called so (RFC 9113, section 3.4), and servers go by these four bytes, too. */
	if (STARTS_WITH(first, have, "PRI * HT"))
		return have >= 4 ? BEGINNING_HTTP2 : BEGINNING_UNKNOWN;
	return BEGINNING_OTHER;
}

/* Length of the line end at the beginning, which does not count (RFC 9112, 2.2). have > 0 */
static __always_inline __u32 line_end_before(__u64 first, __u32 have)
{
	__u32 length = 0;

	if ((first & 0xff) == '\r') {
		length = 1;
		first >>= 8;
	}
	if (have > length && (first & 0xff) == '\n')
		length++;
	return length;
}

/* Opens the next exchange, unless the other CPU just did. */
static __always_inline void begin_exchange(struct connection *c)
{
	if (compare_and_swap(&c->open, 0, 1) != 0)
		return;
	if (c->event.exchange > 0 && is_grown(c))
		tell_tail(c, HTTP_END_NONE, 0);
	c->event.exchange++;
	c->event.head_seq = c->request.seq;
	c->event.response_ns = 0;
	c->event.last_ns = 0;
	c->event.response_bytes = 0;
	c->event.flags &= ~HTTP_FLAG_RESPONSE_GAP;
	c->response.seq = c->response.next;
	clear(&c->response, c->response_ahead, HTTP_RESPONSE_BYTES);
	c->interim = 0;
	c->event.last_bytes = 0;
	c->ending = ENDING_UNKNOWN;
	if (c->event.role == HTTP_ROLE_SERVER) {
		count_open(c);
	} else {
		c->event.open_at_head = open_at_head(c->event.cgroup_id);
	}
}

/* The highest bit of each byte of `word` that is `byte`. */
static __always_inline __u64 bytes_equal(__u64 word, __u64 byte)
{
	const __u64 low_bits = 0x7f7f7f7f7f7f7f7fULL;
	__u64 differs = word ^ (byte * 0x0101010101010101ULL);

	return ~(((differs & low_bits) + low_bits) | differs | low_bits);
}

struct head_bytes {
	__u64 words[HTTP_HEAD_BYTES / 8];
};

#define EMPTY_LINE 0x0a0d0a0d

/* Where the empty line ends that has one of its four bytes at `at`; 0 if there is none. at >= 3 */
static __always_inline __u32 empty_line_at(const __u8 *bytes, __u32 at)
{
	__u32 end = 0;

	for (__u32 i = 0; i < 4; i++)
		if (*(const __u32 *)(bytes + ((at - 3 + i) & (HTTP_HEAD_BYTES - 1))) == EMPTY_LINE)
			end = at + 1 + i;
	return end;
}

/* The same for the fourth and the eighth byte from `from` on. Of its own, for the verifier. */
SEPARATE int empty_line_near(const struct connection *c, __u32 from)
{
	__u32 end;

	if (!c)
		return 0;
	from &= HTTP_HEAD_BYTES - 1;
	end = empty_line_at(c->event.head, from + 3);
	return end ? end : empty_line_at(c->event.head, from + 7);
}

/* Whether " HTTP/1." stands between two places in the kept part of the request. */
SEPARATE int has_version(const struct connection *c, __u32 from, __u32 to)
{
	__u64 last = 0;

	if (!c)
		return 0;
	for (__u32 i = from; i < HTTP_HEAD_BYTES && i < to; i++) {
		last = last >> 8 | (__u64)c->event.head[i] << 56;
		if (last == text_as_number(" HTTP/1.", 8))
			return 1;
	}
	return 0;
}

/*
 * Where the next empty line ends in the kept part of the request; 0 if there is no further one yet.
 * One of any four bytes of an empty line is at the end of four bytes in a row, so looking at those
 * is enough: there, header lines have letters.
 */
SEPARATE int find_empty_line(struct connection *c)
{
	__u32 have, scanned, from;

	if (!c)
		return 0;
	have = c->request.have;
	scanned = c->scanned;
	c->scanned = have;
	from = scanned < 8 ? 0 : scanned - 8;
	for (__u32 i = 0; i < HTTP_HEAD_BYTES / 8; i++, from += 8) {
		__u64 word;
		__u32 end;

		/* Without this, clang makes of it a pointer that the verifier sees no bound of. */
		asm volatile("%0 &= %1" : "+r"(from) : "i"(2 * HTTP_HEAD_BYTES - 8));
		if (from + 3 >= have || from >= HTTP_HEAD_BYTES)
			return 0;
		word = *(const __u64 *)(c->event.head + from);
		if (word & 0xe000000000000000ULL && word & 0xe0000000ULL)
			continue;
		end = empty_line_near(c, from);
		if (end > scanned && end <= have) {
			c->scanned = end;
			return end;
		}
	}
	return 0;
}

/*
 * Whether another head begins in the kept part of the request: right behind the first empty line, or
 * behind a body, where its version gives it away; looked for when that head or the room ends.
 */
SEPARATE int has_next_head(struct connection *c)
{
	__u32 end;

	if (!c)
		return 0;
	if (c->head_end == 0)
		c->head_end = find_empty_line(c);
	if (c->head_end == 0 || c->request.have <= c->head_end)
		return 0;
	end = c->head_end & (HTTP_HEAD_BYTES - 1);
	if (!c->has_body) {
		if (judge_request(*(const __u64 *)(c->event.head + end),
				  c->request.have - end) <= BEGINNING_METHOD)
			return 1;
		c->has_body = 1;
	}
	end = find_empty_line(c);
	if (end == 0 && c->request.have == HTTP_HEAD_BYTES && !c->searched)
		end = HTTP_HEAD_BYTES;
	return end > 0 && has_version(c, c->head_end, end);
}

/* Whether an empty line ends within the bytes. Eight at a time, which is five times as fast. */
SEPARATE int has_empty_line(const struct head_bytes *head)
{
	__u64 before = 0; /* the eight bytes before */

	if (!head)
		return 0;
	for (__u32 i = 0; i < HTTP_HEAD_BYTES / 8; i++) {
		__u64 word = head->words[i];
		__u64 line_ends = bytes_equal(word, '\n');

		if (line_ends) {
			/* What stands one and two bytes before each byte, at its place. */
			__u64 one = word << 8 | before >> 56;
			__u64 two = word << 16 | before >> 48;

			if (line_ends & (bytes_equal(one, '\n') |
					 (bytes_equal(one, '\r') & bytes_equal(two, '\n'))))
				return 1;
		}
		before = word;
	}
	return 0;
}

/*
 * Hands on a piece of a request that does not fit into the buffer, and begins at `at`. Returns its
 * length, or 0 if nothing more is to be handed on.
 */
static __always_inline int tell_part(const struct source *source, struct connection *c, __u32 at,
				     __u32 from, __u32 length)
{
	struct http_head_part_event *part;
	__u64 piece = length < HTTP_HEAD_BYTES ? length : HTTP_HEAD_BYTES;

	if (length == 0 || at >= HTTP_HEAD_BYTES_MAX || c->event.head_parts == 255)
		return 0;
	part = bpf_ringbuf_reserve(&ring, sizeof(*part), 0);
	if (!part) {
		count(HTTP_HEAD_PART_DROPPED);
		return 0;
	}
	BOUND(piece, HTTP_HEAD_BYTES);
	if (read_bytes(source, from, part->bytes, piece) < 0) {
		bpf_ringbuf_discard(part, BPF_RB_NO_WAKEUP);
		return 0;
	}
	part->kind = EVENT_HTTP_HEAD_PART;
	/* A part may overtake the head's first byte, or come while that opens the exchange. */
	part->exchange = c->ended + 1;
	part->cookie = c->event.cookie;
	part->offset = at;
	part->length = piece;
	part->_pad = 0;
	if (at == c->parts_next && c->request.have == HTTP_HEAD_BYTES) {
		c->parts_next += piece;
		if (piece == HTTP_HEAD_BYTES)
			c->head_done = has_empty_line((struct head_bytes *)part->bytes);
	}
	bpf_ringbuf_submit(part, ring_flags());
	c->event.head_parts++;
	return c->head_done ? 0 : piece;
}

SEPARATE int tell_part_of_packet(struct __sk_buff *skb, struct connection *c, __u32 at, __u32 from,
				 __u32 length)
{
	struct source source = { .skb = skb };

	return c ? tell_part(&source, c, at, from, length) : 0;
}

SEPARATE int tell_part_of_early(const struct early_head *early, struct connection *c, __u32 at,
				__u32 from, __u32 length)
{
	struct source source = { .early = early };

	return c && early ? tell_part(&source, c, at, from, length) : 0;
}

/* Hands on bytes of a request that do not fit into the buffer. They begin at `at`. */
static __always_inline void tell_parts(const struct source *source, struct connection *c, __u32 at,
				       __u32 from, __u32 length)
{
	for (__u32 i = 0; i < HTTP_HEAD_BYTES_MAX / HTTP_HEAD_BYTES; i++) {
		int told = source->skb ? tell_part_of_packet(source->skb, c, at, from, length) :
					 tell_part_of_early(source->early, c, at, from, length);

		if (told <= 0)
			return;
		at += told;
		from += told;
		length -= told;
	}
}

SEPARATE int tell_parts_of_packet(struct __sk_buff *skb, struct connection *c, __u32 at, __u32 from,
				  __u32 length)
{
	struct source source = { .skb = skb };

	if (c)
		tell_parts(&source, c, at, from, length);
	return 0;
}

SEPARATE int tell_parts_of_early(const struct early_head *early, struct connection *c, __u32 at,
				 __u32 from, __u32 length)
{
	struct source source = { .early = early };

	if (c && early)
		tell_parts(&source, c, at, from, length);
	return 0;
}

/* Bytes behind the buffer's end: of the head, or already of a body. */
static __always_inline void pass_buffer(const struct source *source, struct connection *c, __u32 at,
					const struct segment *segment)
{
	__u32 skip = at < HTTP_HEAD_BYTES ? HTTP_HEAD_BYTES - at : 0;

	if (!c->searched && c->request.have == HTTP_HEAD_BYTES) {
		c->searched = 1;
		c->head_done = c->head_end > 0 ||
			       has_empty_line((struct head_bytes *)c->event.head);
	}
	if (at >= 4 * HTTP_HEAD_BYTES_MAX)
		c->head_done = 1;
	if (c->head_done)
		return;
	at += skip;
	if (source->skb)
		tell_parts_of_packet(source->skb, c, at, segment->from + skip,
				     segment->length - skip);
	else
		tell_parts_of_early(source->early, c, at, segment->from + skip,
				    segment->length - skip);
}

/*
 * The bytes at the place of a head are none. At the very beginning of a connection: it is not for
 * us. Later: the end of a body that was answered early, to be skipped; but not so TLS or HTTP/2,
 * after which nothing of HTTP/1 follows.
 */
static __always_inline void refuse_head(struct connection *c, struct bpf_sock *sk,
					enum beginning beginning)
{
	if (c->event.exchange > (c->open ? 1 : 0) && beginning == BEGINNING_OTHER) {
		count(HTTP_BYTES_NOT_HEAD);
		if (compare_and_swap(&c->open, 1, 0) == 1)
			uncount_open(c);
		c->ended = c->event.exchange;
		await_head(c);
		return;
	}
	if (beginning == BEGINNING_OTHER && c->event.role == HTTP_ROLE_CLIENT)
		follow_turns(c);
	else
		abandon(c, sk, beginning == BEGINNING_TLS ? HTTP_TLS : HTTP_NOT_HTTP);
}

/* The connection begins with the preface of HTTP/2; `at` is the segment's place in it. */
static __always_inline void begin_http2(const struct source *source, struct bpf_sock *sk,
					struct connection *c, __u32 at,
					const struct segment *segment, __u64 time_ns)
{
	__u32 seen = c->request.next - c->request.seq;
	__u32 client_seq = c->request.seq;
	struct transcript *t;
	bool is_first = at == 0 && seen == segment->length;

	if ((!is_first && seen != c->request.have) ||
	    c->response.next - c->response.seq > HTTP_RESPONSE_BYTES) {
		abandon(c, sk, HTTP_TRANSCRIPT_LOST);
		return;
	}
	t = begin_transcript(c, sk, client_seq, c->response.seq, HTTP_PROTOCOL_2);
	if (!t)
		return;
	if (is_first)
		transcribe(source, sk, t, segment, time_ns, HTTP_FROM_CLIENT);
	else
		tell_kept_head(t, c);
	tell_kept_response(t, c);
}

/*
 * Goes on with a connection as a transcript because requests on it do not wait for the answer to the
 * one before. What is kept of the open request and of what the server sent since goes first.
 */
static __always_inline struct transcript *begin_pipeline(struct connection *c, struct bpf_sock *sk)
{
	struct transcript *t = begin_transcript(c, sk, c->request.seq, c->response.seq,
						HTTP_PROTOCOL_1);

	if (t) {
		tell_kept_head(t, c);
		tell_kept_response(t, c);
	}
	return t;
}

static __always_inline void request_segment(const struct source *source, struct bpf_sock *sk,
					    struct connection *c, struct segment *segment,
					    __u64 time_ns, const bool outgoing)
{
	__u32 after = segment->seq + segment->length;
	bool is_first = c->request.next == c->request.seq;
	__s32 at = segment->seq - c->request.seq;
	__u32 have;

	if (advance(&c->request, after, outgoing) > SEQUENCE_JUMP_MAX) {
		count(HTTP_SEQUENCE_REFUSED);
		return;
	}
	if (c->head_done)
		return;
	if ((__s32)(after - c->request.seq) <= 0)
		return; /* again what belonged to requests before */
	if (at < 0) {
		segment->from -= at;
		segment->length += at;
		at = 0;
	}
	if (is_first)
		c->event.head_ns = time_ns ?: bpf_ktime_get_ns();
	if (at < HTTP_HEAD_BYTES)
		place_request(source, c, at, segment);
	if (*(volatile __u32 *)&c->transcribed == 2) {
		follow_transcript(source, sk, segment, time_ns, HTTP_FROM_CLIENT);
		return;
	}
	have = c->request.have;
	if (!c->method_known && have > 0) {
		__u64 first = *(__u64 *)c->event.head;
		__u32 line_end = line_end_before(first, have);
		enum beginning beginning;

		if (line_end > 0) {
			if (line_end == have) {
				/* A stray one, sent behind a body: no reason to start the clock. */
				await_head(c);
				return;
			}
			first = first >> (line_end * 8) |
				*(__u64 *)(c->event.head + 8) << (64 - line_end * 8);
		}
		beginning = judge_request(first, have - line_end);
		if (beginning == BEGINNING_HTTP2 && line_end == 0 &&
		    c->event.exchange == (c->open ? 1 : 0)) {
			begin_http2(source, sk, c, at, segment, time_ns);
			return;
		}
		if (beginning > BEGINNING_METHOD) {
			refuse_head(c, sk, beginning);
			return;
		}
		c->method_known = beginning == BEGINNING_METHOD;
		begin_exchange(c);
	}
	if (has_next_head(c)) {
		/* Not before a gap is filled: what is behind it is kept only here. */
		if (c->request.next - c->request.seq > have &&
		    c->request.next - c->request.seq > at + segment->length)
			return;
		if (begin_pipeline(c, sk))
			follow_transcript(source, sk, segment, time_ns, HTTP_FROM_CLIENT);
		return;
	}
	if (at + segment->length > HTTP_HEAD_BYTES)
		pass_buffer(source, c, at, segment);
}

/* --- Responses ------------------------------------------------------------------------------ */

enum verdict {
	VERDICT_UNKNOWN,	/* what is there so far fits */
	VERDICT_INTERIM,
	VERDICT_FINAL,
	VERDICT_UPGRADE,	/* 101: what follows is no HTTP */
	VERDICT_OTHER,
};

static __always_inline enum verdict judge_response(const struct connection *c)
{
	const __u8 *response = c->event.response;
	__u32 have = c->response.have;

	if (c->interim)
		return VERDICT_INTERIM;
	if (have == 0)
		return VERDICT_UNKNOWN;
	if (!STARTS_WITH(*(const __u64 *)response, have, "HTTP/1."))
		return VERDICT_OTHER;
	if (have < STATUS_LINE_BYTES)
		return VERDICT_UNKNOWN;
	if (response[9] != '1')
		return VERDICT_FINAL;
	return response[10] == '0' && response[11] == '1' ? VERDICT_UPGRADE : VERDICT_INTERIM;
}

/* Where the first empty line in the response's buffer ends, or 0. */
SEPARATE int find_interim_end(struct connection *c)
{
	__u32 last = 0;
	__u32 have;

	if (!c)
		return 0;
	have = c->response.have;
	for (__u32 i = 0; i < HTTP_RESPONSE_BYTES && i < have; i++) {
		last = last << 8 | c->event.response[i];
		if ((last & 0xffff) == 0x0a0a || (last & 0xffffff) == 0x0a0d0a)
			return i + 1;
	}
	return 0;
}

/* Drops the first bytes of the response's window; 0 < bytes <= have. */
SEPARATE int drop_response(struct connection *c, __u32 bytes)
{
	__u8 copy[HTTP_RESPONSE_BYTES];
	__u64 length = HTTP_RESPONSE_BYTES - bytes;

	if (!c || bytes == 0 || bytes > HTTP_RESPONSE_BYTES)
		return 0;
	bpf_probe_read_kernel(copy, sizeof(copy), c->event.response);
	if (bytes < HTTP_RESPONSE_BYTES) {
		BOUND(length, HTTP_RESPONSE_BYTES);
		bpf_probe_read_kernel(c->event.response, length,
				      copy + (bytes & (HTTP_RESPONSE_BYTES - 1)));
	}
	for (__u32 i = 0; i < HTTP_RESPONSE_BYTES / 64; i++) {
		__u32 from = i + bytes / 64;
		__u32 shift = bytes % 64;
		__u64 low = 0, high = 0;

		if (from < HTTP_RESPONSE_BYTES / 64)
			low = c->response_ahead[from];
		if (from + 1 < HTTP_RESPONSE_BYTES / 64)
			high = c->response_ahead[from + 1];
		c->response_ahead[i] = shift ? low >> shift | high << (64 - shift) : low;
	}
	c->response.seq += bytes;
	c->response.have -= bytes;
	c->event.response_bytes -= bytes;
	return 0;
}

/*
 * Steps over interim responses, which begin the buffer. Rare, and the only place where the kernel
 * searches a response.
 *
 * Returns what the buffer begins with afterwards.
 */
SEPARATE int skip_interim(struct __sk_buff *skb, struct connection *c, __u32 seq, __u32 length,
			  __u32 from)
{
	struct segment segment = { .seq = seq, .length = length, .from = from };
	enum verdict verdict = VERDICT_INTERIM;

	if (!c)
		return VERDICT_OTHER;
	for (__u32 i = 0; i < INTERIM_STEPS && verdict == VERDICT_INTERIM; i++) {
		__u32 end = find_interim_end(c);

		if (end > 0) {
			c->interim = 0;
			drop_response(c, end);
		} else if (c->response.have == HTTP_RESPONSE_BYTES) {
			/* An empty line may have begun in the last three bytes. */
			c->interim = 1;
			drop_response(c, HTTP_RESPONSE_BYTES - 3);
		} else {
			return VERDICT_UNKNOWN;
		}
		place_response(skb, c, segment);
		verdict = judge_response(c);
	}
	/* More of them than anybody sends: whatever it is, do not follow it. */
	return verdict == VERDICT_INTERIM ? VERDICT_OTHER : verdict;
}

/*
 * Looks in the kept part of a response's head for what says where the body ends; the first one
 * found, because such words may stand in the body too. Byte by byte, but only once, and only for a
 * response of more than one packet.
 */
SEPARATE int find_ending(struct connection *c)
{
	__u64 before = 0; /* the eight bytes before `word` */
	__u64 word = 0;	  /* the last eight bytes, in lower case */
	__u64 differs;
	__u32 have;

	if (!c)
		return ENDING_UNKNOWN;
	have = c->response.have;
	for (__u32 i = 0; i < HTTP_RESPONSE_BYTES && i < have; i++) {
		before = before >> 8 | word << 56;
		word = word >> 8 | (__u64)(c->event.response[i] | 0x20) << 56;
		if (word >> 8 == text_as_number("chunked", 7))
			return ENDING_BY_BYTES;
		/* As one test: of two, the verifier would follow what is left of each. */
		differs = word ^ text_as_number("-length:", 8);
		differs |= before >> 8 ^ text_as_number("content", 7);
		barrier_var(differs);
		if (differs == 0)
			return ENDING_BY_LENGTH;
	}
	return have == HTTP_RESPONSE_BYTES ? ENDING_BY_BYTES : ENDING_UNKNOWN;
}

/* Whether a packet's last bytes may be the end of the response, which nothing else tells. */
static __always_inline bool may_end_by_bytes(struct connection *c)
{
	/* Somewhat early, for the last bytes may come in small packets. */
	if (c->event.response_bytes <= HTTP_RESPONSE_BYTES - 2 * sizeof(c->event.last_bytes))
		return false;
	if (!c->open && c->ending == ENDING_UNKNOWN)
		c->ending = find_ending(c);
	return c->ending != ENDING_BY_LENGTH;
}

/*
 * Remembers the last bytes of a response, each at its place by sequence number: an ending of chunks
 * shows there.
 */
static __always_inline void keep_last_bytes(const struct source *source, struct connection *c,
					    const struct segment *segment, __s32 growth)
{
	__u32 behind = c->response.next - (segment->seq + segment->length);
	__u64 length = segment->length;
	__u64 bytes = 0;

	if (behind == 0 && length >= sizeof(bytes)) {
		if (read_bytes(source, segment->from + length - sizeof(bytes), &bytes,
			       sizeof(bytes)) == 0)
			c->event.last_bytes = bytes;
		return;
	}
	if (growth > 0)
		c->event.last_bytes = growth < 8 ? c->event.last_bytes >> (growth * 8) : 0;
	if (behind >= sizeof(bytes))
		return;
	if (length > sizeof(bytes) - behind)
		length = sizeof(bytes) - behind;
	BOUND(length, sizeof(bytes));
	if (read_bytes(source, segment->from + segment->length - length, &bytes, length) == 0) {
		__u32 shift = 64 - (behind + length) * 8;
		__u64 places = mask_of(length) << shift;

		c->event.last_bytes = (c->event.last_bytes & ~places) | bytes << shift;
	}
}

/*
 * Whether bytes of a request passed, behind others that did not but that the server has. It is not
 * to be: no packet gets to a socket unseen. If it happens all the same, everything that follows
 * would wait for those bytes.
 */
static __always_inline bool is_request_lost(const struct connection *c, struct bpf_sock *sk)
{
	struct bpf_tcp_sock *tcp;

	if (c->request.next == c->request.seq || c->request.have > 0 ||
	    c->event.role != HTTP_ROLE_SERVER)
		return false;
	tcp = bpf_tcp_sock(sk);
	return tcp && (__s32)(tcp->rcv_nxt - c->request.next) >= 0;
}

/* Whether a server that speaks first begins with SETTINGS, as it does in HTTP/2. */
static __always_inline bool is_settings(struct __sk_buff *skb, const struct connection *c,
					const struct segment *segment)
{
	__u8 header[FRAME_HEADER_BYTES];

	return segment->seq == c->response.seq && segment->length >= sizeof(header) &&
	       bpf_skb_load_bytes(skb, segment->from, header, sizeof(header)) == 0 &&
	       header[0] == 0 && header[1] == 0 && header[2] % 6 == 0 &&
	       header[3] == FRAME_SETTINGS && header[4] == 0 && header[5] == 0 && header[6] == 0 &&
	       header[7] == 0 && header[8] == 0;
}

/* Whether a response of 101, which ends at `end` in the buffer, goes over to HTTP/2. */
SEPARATE int upgrades_to_http2(const struct connection *c, __u32 end)
{
	__u32 last = 0;

	if (!c)
		return 0;
	for (__u32 i = STATUS_LINE_BYTES; i < HTTP_RESPONSE_BYTES && i < end; i++) {
		last = (last << 8 | c->event.response[i]) & 0xffffff;
		if ((last | 0x200020) == ('h' << 16 | '2' << 8 | 'c'))
			return 1;
	}
	return 0;
}

/* Whether the response makes the connection a tunnel (RFC 9110, section 9.3.6). */
static __always_inline bool opens_tunnel(const struct connection *c)
{
	return STARTS_WITH(*(const __u64 *)c->event.head, 8, "CONNECT ") &&
	       c->event.response[STATUS_AT] == '2';
}

static __always_inline void response_segment(struct __sk_buff *skb, struct bpf_sock *sk,
					     struct connection *c, const struct segment *segment,
					     __u64 time_ns, const bool outgoing)
{
	struct source source = { .skb = skb };
	__u32 after = segment->seq + segment->length;
	__s32 growth = advance(&c->response, after, outgoing);
	enum verdict verdict;
	__u32 upgrade = 0;
	bool tunnel;

	if (growth > SEQUENCE_JUMP_MAX) {
		count(HTTP_SEQUENCE_REFUSED);
		return;
	}
	if (growth > 0 && outgoing) {
		c->event.response_bytes += growth;
	} else if (growth > 0) {
		__sync_fetch_and_add(&c->event.response_bytes, growth);
	} else {
		/* Again what passed before, or a gap is filled that the receiver still has. */
		struct bpf_tcp_sock *tcp;

		if (outgoing)
			return;
		tcp = bpf_tcp_sock(sk);
		if (!tcp || (__s32)(after - tcp->rcv_nxt) <= 0)
			return;
	}
	if (!time_ns)
		time_ns = bpf_ktime_get_ns();
	c->event.last_ns = time_ns;
	if (may_end_by_bytes(c))
		keep_last_bytes(&source, c, segment, growth);
	if (!c->open && is_request_lost(c, sk)) {
		abandon(c, sk, HTTP_REQUEST_LOST);
		return;
	}
	if (!c->open && c->response.have == HTTP_RESPONSE_BYTES)
		return;
	if (c->event.exchange == 0) {
		if (c->response.have == 0 && !is_settings(skb, c, segment)) {
			if (c->event.role == HTTP_ROLE_CLIENT)
				follow_turns(c);
			else
				abandon(c, sk, HTTP_SERVER_FIRST);
			return;
		}
		place_response(skb, c, *segment);
		if (c->request.next == c->request.seq) {
			struct transcript *t = begin_transcript(c, sk, c->request.seq, segment->seq,
								HTTP_PROTOCOL_2);

			if (t)
				transcribe(&source, sk, t, segment, time_ns, HTTP_FROM_SERVER);
			if (t && c->request.have > 0)
				tell_kept_head(t, c);
		} else if (*(volatile __u32 *)&c->transcribed == 2) {
			follow_transcript(&source, sk, segment, time_ns, HTTP_FROM_SERVER);
		}
		/* Else bytes of the client have passed, but not those which say that it is HTTP/2. */
		return;
	}
	/* Far behind the buffer, sequence numbers say nothing about places in it. */
	if (c->event.response_bytes < SEQUENCE_JUMP_MAX)
		place_response(skb, c, *segment);
	if (!c->open)
		return;
	if (!c->event.response_ns)
		c->event.response_ns = time_ns;
	verdict = judge_response(c);
	if (verdict == VERDICT_INTERIM) {
		verdict = skip_interim(skb, c, segment->seq, segment->length, segment->from);
		c->event.response_ns = c->response.have > 0 ? time_ns : 0;
	}
	if (verdict == VERDICT_UPGRADE) {
		upgrade = find_interim_end(c);
		if (upgrade == 0 && c->response.have < HTTP_RESPONSE_BYTES)
			return;
		if (upgrade > 0 && !upgrades_to_http2(c, upgrade))
			upgrade = 0;
	}
	if (verdict == VERDICT_UNKNOWN)
		return;
	if (verdict == VERDICT_OTHER && c->event.exchange > 1 && c->request.have > 0) {
		/* The rest of an answer for whose end the next request did not wait. */
		if (begin_pipeline(c, sk))
			follow_transcript(&source, sk, segment, time_ns, HTTP_FROM_SERVER);
		return;
	}
	if (verdict == VERDICT_OTHER && c->event.exchange == 1 && !c->method_known &&
	    is_settings(skb, c, segment)) {
		struct transcript *t = begin_transcript(c, sk, c->request.seq, segment->seq,
							HTTP_PROTOCOL_2);

		/* Too little of the preface was there yet to be known as one. */
		if (t) {
			tell_kept_head(t, c);
			follow_transcript(&source, sk, segment, time_ns, HTTP_FROM_SERVER);
		}
		return;
	}
	if (verdict == VERDICT_OTHER) {
		abandon(c, sk, HTTP_NO_RESPONSE_HEAD);
		return;
	}
	if (compare_and_swap(&c->open, 1, 0) != 1)
		return;
	c->ended = c->event.exchange;
	if (growth <= 0 && c->event.response_bytes > c->response.have)
		c->event.flags |= HTTP_FLAG_RESPONSE_GAP;
	tunnel = opens_tunnel(c);
	tell_exchange(c, upgrade ? HTTP_END_TRANSCRIBED : HTTP_END_NONE, 0);
	c->event.flags &= ~HTTP_FLAG_RESPONSE_GAP;
	if (upgrade) {
		if (begin_transcript(c, sk, c->request.seq, c->response.seq + upgrade,
				     HTTP_PROTOCOL_2))
			follow_transcript(&source, sk, segment, time_ns, HTTP_FROM_SERVER);
	} else if (verdict == VERDICT_UPGRADE || tunnel) {
		abandon(c, sk, HTTP_UPGRADED);
	}
}

/* --- Connections ---------------------------------------------------------------------------- */

static __always_inline __u64 cgroup_of(const struct tcp_sock *tcp)
{
	return tcp->inet_conn.icsk_inet.sk.sk_cgrp_data.cgroup->kn->id;
}

static __always_inline void map_ipv4(__u8 *to, __u32 address)
{
	__u32 *words = (__u32 *)to;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = address;
}

/* The state of a connection before any byte has passed. */
static __always_inline void initialise(struct connection *c, const struct tcp_sock *tcp,
				       __u64 cookie, __u64 cgroup_id, const enum http_role role)
{
	const struct sock_common *common = &tcp->inet_conn.icsk_inet.sk.__sk_common;

	c->event.kind = EVENT_HTTP_EXCHANGE;
	c->event.cookie = cookie;
	c->event.cgroup_id = cgroup_id;
	c->event.role = role;
	c->event.flags = 0;
	c->event.open_at_head = HTTP_OPEN_UNKNOWN;
	c->event.local_port = common->skc_num;
	c->event.remote_port = bpf_ntohs(common->skc_dport);
	if (common->skc_family == AF_INET6) {
		BPF_CORE_READ_INTO(&c->event.local_address, common, skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&c->event.remote_address, common, skc_v6_daddr);
	} else {
		map_ipv4(c->event.local_address, common->skc_rcv_saddr);
		map_ipv4(c->event.remote_address, common->skc_daddr);
	}
	c->request.seq = role == HTTP_ROLE_SERVER ? tcp->rcv_nxt : tcp->snd_nxt;
	c->request.next = c->request.seq;
	c->response.seq = role == HTTP_ROLE_SERVER ? tcp->snd_nxt : tcp->rcv_nxt;
	c->response.next = c->response.seq;
	c->first_seq = c->request.seq;
	c->parts_next = HTTP_HEAD_BYTES;
	if (role == HTTP_ROLE_SERVER) {
		struct connection_key key;
		__u64 none = 0;

		__builtin_memcpy(key.client, c->event.remote_address, sizeof(key.client));
		__builtin_memcpy(key.server, c->event.local_address, sizeof(key.server));
		key.client_port = c->event.remote_port;
		key.server_port = c->event.local_port;
		key.seq = c->first_seq;
		if (bpf_map_lookup_elem(&local_clients, &key))
			c->event.flags = HTTP_FLAG_PEER_LOCAL;
		if (!bpf_map_lookup_elem(&open_exchanges, &cgroup_id)) {
			bpf_map_update_elem(&open_exchanges, &cgroup_id, &none, BPF_NOEXIST);
			if (!bpf_map_lookup_elem(&open_exchanges, &cgroup_id))
				count(HTTP_CGROUP_NOT_COUNTED);
		}
	}
}

/*
 * Makes the state of a connection, or finds it if another CPU was quicker; NULL if that has gone on
 * to a transcript already. The state is put together elsewhere and copied into the socket by the
 * call that creates it, so that nobody ever finds it half done.
 */
static __noinline struct connection *make_connection(struct bpf_sock *sk, __u64 cookie,
						     const enum http_role role)
{
	struct connection *c = NULL;
	struct new_connection *new;
	struct tcp_sock *tcp;
	__u32 at = 0;

	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return NULL;
	for (; at < NEW_CONNECTIONS; at++) {
		__u32 index = at;

		new = bpf_map_lookup_elem(&new_connections, &index);
		if (new && compare_and_swap(&new->busy, 0, 1) == 0)
			break;
	}
	if (at == NEW_CONNECTIONS || !new) {
		count(HTTP_STORAGE_FAILED);
		return NULL;
	}
	initialise(&new->connection, tcp, cookie, cgroup_of(tcp), role);
	/* Fails on the CPU that loses the race to create; the next try finds what the other made. */
	for (int i = 0; i < CREATE_TRIES && !c; i++)
		c = bpf_sk_storage_get(&connections, sk, &new->connection,
				       BPF_SK_STORAGE_GET_F_CREATE);
	*(volatile __u32 *)&new->busy = 0;
	if (!c) {
		count(HTTP_STORAGE_FAILED);
	} else if (bpf_sk_storage_get(&transcripts, sk, NULL, 0)) {
		bpf_sk_storage_delete(&connections, sk);
		return NULL;
	}
	return c;
}

static __always_inline bool is_same(const struct connection *c, const struct early_head *early)
{
	const __u64 *client = (const __u64 *)c->event.remote_address;
	const __u64 *server = (const __u64 *)c->event.local_address;
	const __u64 *early_client = (const __u64 *)early->key.client;
	const __u64 *early_server = (const __u64 *)early->key.server;

	return early->key.client_port == c->event.remote_port &&
	       early->key.server_port == c->event.local_port && client[0] == early_client[0] &&
	       client[1] == early_client[1] && server[0] == early_server[0] &&
	       server[1] == early_server[1] &&
	       early->key.seq - c->first_seq < SEQUENCE_JUMP_MAX;
}

/* Takes the payload that the listening socket's filter saw. */
static __always_inline void take_early_head(struct connection *c, struct bpf_sock *sk)
{
	struct segment segment = {};
	struct source source = {};
	__u32 zero = 0;
	__u32 after;

	source.early = bpf_map_lookup_elem(&early_heads, &zero);
	if (!source.early || source.early->length == 0 || !is_same(c, source.early))
		return;
	count(HTTP_EARLY_HEADS);
	segment.seq = source.early->key.seq;
	segment.length = source.early->length;
	if (segment.length > sizeof(source.early->bytes))
		segment.length = sizeof(source.early->bytes);
	after = source.early->key.seq + source.early->length;
	request_segment(&source, sk, c, &segment, source.early->time_ns, false);
	if ((__s32)(after - c->request.next) > 0)
		c->request.next = after;
	((struct early_head *)source.early)->length = 0;
}

static __always_inline void follow(struct bpf_sock_ops *ops, const enum http_role role)
{
	struct bpf_sock *sk = ops->sk;
	struct connection *c;

	if (!sk)
		return;
	if (role == HTTP_ROLE_CLIENT) {
		struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
		__u64 cgroup_id;

		if (!tcp)
			return;
		cgroup_id = cgroup_of(tcp);
		if (!bpf_map_lookup_elem(&watched_cgroups, &cgroup_id))
			return;
	}
	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
	c = make_connection(sk, bpf_get_socket_cookie(ops), role);
	if (!c) {
		if (role == HTTP_ROLE_SERVER && bpf_sk_storage_get(&transcripts, sk, NULL, 0))
			count(HTTP_SERVER_CONNECTIONS);
		return;
	}
	if (role == HTTP_ROLE_CLIENT) {
		struct connection_key key = client_key(c);
		__u32 one = 1;

		count(HTTP_CLIENT_CONNECTIONS);
		if (bpf_map_update_elem(&local_clients, &key, &one, BPF_ANY) < 0)
			count(HTTP_CLIENT_NOT_MARKED);
	} else {
		count(HTTP_SERVER_CONNECTIONS);
		take_early_head(c, sk);
	}
}

/* Whether nothing more of a response can follow. */
static __always_inline bool is_over(const struct connection *c, __u32 state)
{
	if (state == TCP_CLOSE)
		return true;
	/* The client has the server's whole response; the server closed behind it. */
	return state == (c->event.role == HTTP_ROLE_SERVER ? TCP_FIN_WAIT2 : TCP_CLOSE_WAIT);
}

static __always_inline void state_changed(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	__u32 before = ops->args[0];
	__u32 state = ops->args[1];
	__u32 end = HTTP_END_CLOSED;
	struct transcript *t = NULL;
	struct connection *c;
	__u64 now;

	if (!sk)
		return;
	c = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!c && state == TCP_CLOSE)
		t = bpf_sk_storage_get(&transcripts, sk, NULL, 0);
	if (!t && (!c || !is_over(c, state)))
		return;
	/* Without the farewell of both sides: a reset, a timeout, or closed on unread data. */
	if (state == TCP_CLOSE && (before == TCP_ESTABLISHED || before == TCP_SYN_RECV ||
				   before == TCP_FIN_WAIT1 || before == TCP_CLOSE_WAIT))
		end = HTTP_END_RESET;
	now = bpf_ktime_get_ns();
	if (!c) {
		if (t)
			end_transcript(t, sk, end, now);
		return;
	}
	if (c->turns)
		end_turns(c, end, now);
	else if (compare_and_swap(&c->open, 1, 0) == 1)
		tell_exchange(c, end, now);
	else if (c->event.exchange > 0)
		tell_tail(c, end, now);
	leave(c, sk);
}

SEC("sockops")
int on_connection(struct bpf_sock_ops *ops)
{
	switch (ops->op) {
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		follow(ops, HTTP_ROLE_SERVER);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		follow(ops, HTTP_ROLE_CLIENT);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		state_changed(ops);
		break;
	}
	return 1;
}

/* --- Packets -------------------------------------------------------------------------------- */

/* Finds the TCP header by the IP header. Returns false if there is none or extensions precede it. */
static __always_inline bool find_tcp(struct __sk_buff *skb, __u32 *at)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data;
	struct ipv6hdr *ipv6 = data;

	if ((void *)(ip + 1) > end)
		return false;
	if (ip->version == 4) {
		*at = ip->ihl * 4;
		return ip->protocol == IPPROTO_TCP;
	}
	*at = sizeof(*ipv6);
	return (void *)(ipv6 + 1) <= end && ipv6->nexthdr == IPPROTO_TCP;
}

/* Finds the payload behind the TCP header at `at`. Returns false if there is none. */
static __always_inline bool find_payload(struct __sk_buff *skb, __u32 at, struct segment *segment)
{
	struct tcphdr *tcp = (void *)(long)skb->data + (at & 0x3ff);

	if ((void *)(tcp + 1) > (void *)(long)skb->data_end || tcp->rst)
		return false;
	segment->from = at + tcp->doff * 4;
	if (skb->len <= segment->from)
		return false;
	segment->length = skb->len - segment->from;
	segment->seq = bpf_ntohl(tcp->seq) + tcp->syn;
	return true;
}

/* See struct early_head. */
static __noinline int keep_early_head(struct __sk_buff *skb)
{
	struct early_head *early;
	struct segment segment;
	__u32 zero = 0;
	__u64 length;
	__u8 version;
	__u32 at;
	__u16 ports[2];

	early = bpf_map_lookup_elem(&early_heads, &zero);
	if (!early || !find_tcp(skb, &at) || !find_payload(skb, at, &segment))
		return 0;
	early->length = 0;
	if (bpf_skb_load_bytes(skb, 0, &version, 1) < 0 ||
	    bpf_skb_load_bytes(skb, at, ports, sizeof(ports)) < 0)
		return 0;
	if (version >> 4 == 4) {
		__u32 addresses[2];

		if (bpf_skb_load_bytes(skb, offsetof(struct iphdr, saddr), addresses,
				       sizeof(addresses)) < 0)
			return 0;
		map_ipv4(early->key.client, addresses[0]);
		map_ipv4(early->key.server, addresses[1]);
	} else if (bpf_skb_load_bytes(skb, offsetof(struct ipv6hdr, saddr), early->key.client, 16) <
			   0 ||
		   bpf_skb_load_bytes(skb, offsetof(struct ipv6hdr, daddr), early->key.server, 16) <
			   0) {
		return 0;
	}
	early->key.client_port = bpf_ntohs(ports[0]);
	early->key.server_port = bpf_ntohs(ports[1]);
	early->key.seq = segment.seq;
	early->time_ns = bpf_ktime_get_ns();
	length = segment.length < sizeof(early->bytes) ? segment.length : sizeof(early->bytes);
	BOUND(length, sizeof(early->bytes));
	if (bpf_skb_load_bytes(skb, segment.from, early->bytes, length) < 0)
		return 0;
	early->length = segment.length;
	return 0;
}

static __always_inline void pass(struct __sk_buff *skb, const bool outgoing)
{
	struct source source = { .skb = skb };
	struct transcript *t = NULL;
	struct connection *c = NULL;
	struct segment segment;
	bool may_be_followed;
	struct bpf_sock *sk;
	__u64 time_ns;
	__u32 state;
	__u32 at;

#ifdef HEADSPAN_PLAIN
	sk = skb->sk;
	if (!sk)
		return;
	state = sk->state;
	may_be_followed = true;
	if (!find_tcp(skb, &at))
		return;
#else
	struct sk_buff *packet = bpf_cast_to_kern_ctx(skb);
	struct sock *owner = packet->sk;

	if (!owner)
		return;
	/* The state first: once it is ESTABLISHED, on_connection is through. */
	state = owner->__sk_common.skc_state;
	/* Nearly all sockets are told apart by this alone, without a call. */
	may_be_followed = *(struct bpf_local_storage *volatile *)&owner->sk_bpf_storage;
	if (!may_be_followed && outgoing)
		return;
	if (!may_be_followed && state != TCP_LISTEN && state != TCP_SYN_RECV)
		return;
	at = (__u16)(packet->transport_header - packet->network_header);
	sk = skb->sk;
	if (!sk)
		return;
#endif
	if (state == TCP_LISTEN) {
		if (!outgoing)
			keep_early_head(skb);
		return;
	}
	if (!find_payload(skb, at, &segment))
		return;
	if (may_be_followed) {
		c = bpf_sk_storage_get(&connections, sk, NULL, 0);
		if (!c)
			t = bpf_sk_storage_get(&transcripts, sk, NULL, 0);
	}
	/* Another CPU is just making the connection; it has not come to on_connection yet. */
	if (!c && !t && state == TCP_SYN_RECV && !outgoing) {
		c = make_connection(sk, bpf_get_socket_cookie(skb), HTTP_ROLE_SERVER);
		if (!c)
			t = bpf_sk_storage_get(&transcripts, sk, NULL, 0);
	}
	if (t) {
		const bool from_client = (t->role == HTTP_ROLE_SERVER) != outgoing;

		transcribe(&source, sk, t, &segment, outgoing ? skb->tstamp : 0,
			   from_client ? HTTP_FROM_CLIENT : HTTP_FROM_SERVER);
		return;
	}
	if (!c)
		return;
	if (c->turns) {
		if (outgoing)
			take_turn_of_client(skb, c, segment.seq, segment.length, segment.from);
		else
			take_turn_of_server(c, segment.seq + segment.length);
		return;
	}
	/* On the way out, TCP has written the time of sending into the packet. */
	time_ns = outgoing ? skb->tstamp : 0;
	if ((c->event.role == HTTP_ROLE_SERVER) != outgoing)
		request_segment(&source, sk, c, &segment, time_ns, outgoing);
	else
		response_segment(skb, sk, c, &segment, time_ns, outgoing);
}

SEC("cgroup_skb/ingress")
int on_ingress(struct __sk_buff *skb)
{
	pass(skb, false);
	return 1;
}

SEC("cgroup_skb/egress")
int on_egress(struct __sk_buff *skb)
{
	pass(skb, true);
	return 1;
}

/* --- Cgroups -------------------------------------------------------------------------------- */

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(on_cgroup_created, struct cgroup *cgroup, const char *path)
{
	__u64 id = cgroup->kn->id;
	__u32 one = 1;

	if (cgroup->root->hierarchy_id == 0)
		bpf_map_update_elem(&watched_cgroups, &id, &one, BPF_ANY);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(on_cgroup_removed, struct cgroup *cgroup, const char *path)
{
	__u64 id = cgroup->kn->id;

	if (cgroup->root->hierarchy_id == 0) {
		bpf_map_delete_elem(&watched_cgroups, &id);
		bpf_map_delete_elem(&open_exchanges, &id);
	}
	return 0;
}

/* --- Sweeps --------------------------------------------------------------------------------- */

/*
 * Writes a tail for each response that grew since its record and since the last sweep: for
 * connections on which nothing happens after a response that came in several packets. The other
 * programs take no notice of it: whether a sweep's tail or the next head comes to the reader first
 * is open, so the tail at the next head comes in any case.
 */
SEC("iter/bpf_sk_storage_map")
int tell_grown(struct bpf_iter__bpf_sk_storage_map *context)
{
	struct connection *c = context->value;
	struct http_tail_event tail;
	struct tcp_sock *tcp;
	struct sock *sk = context->sk;

	if (!sk || !c || c->open || c->event.exchange == 0 || !is_grown(c))
		return 0;
	if (c->swept_exchange == c->event.exchange &&
	    c->swept_bytes == c->event.response_bytes && c->swept_length == c->response.have)
		return 0;
	tail.kind = EVENT_HTTP_TAIL;
	tail.exchange = c->event.exchange;
	tail.cookie = c->event.cookie;
	tail.last_ns = c->event.last_ns;
	tail.end_ns = 0;
	tail.response_bytes = c->event.response_bytes;
	tail.last_bytes = c->event.last_bytes;
	tail.response_length = c->response.have;
	tail.end = HTTP_END_NONE;
	tail.flags = 0;
	tail._pad = 0;
	__builtin_memcpy(tail.response, c->event.response, sizeof(tail.response));
	tcp = bpf_skc_to_tcp_sock(sk);
	if (tcp && c->event.role == HTTP_ROLE_CLIENT &&
	    (__s32)(c->response.next - tcp->rcv_nxt) > 0)
		tail.flags = HTTP_FLAG_RESPONSE_GAP;
	if (bpf_seq_write(context->meta->seq, &tail, sizeof(tail)) == 0 && !tail.flags) {
		c->swept_exchange = tail.exchange;
		c->swept_bytes = tail.response_bytes;
		c->swept_length = tail.response_length;
	}
	return 0;
}

/* How old an exchange is when it is told though it is open. Set by user space. */
const volatile __u64 open_age_ns = 5000000000ULL;

/*
 * Writes each exchange that waits for its response for longer than that, as tell_exchange would.
 * It is told again at every call as long as it is open, which is how user space knows that it is.
 * Also writes, once, each turn whose server has been silent.
 */
SEC("iter/bpf_sk_storage_map")
int tell_open(struct bpf_iter__bpf_sk_storage_map *context)
{
	struct connection *c = context->value;
	struct http_exchange_event *copy;
	__u32 zero = 0;
	__u64 now;

	if (!context->sk || !c || !c->open)
		return 0;
	now = bpf_ktime_get_ns();
	if (c->turns ? !c->event.response_ns || c->swept_exchange == c->event.exchange ||
			       now - c->event.last_ns < TURN_SILENCE_NS :
		       (__s64)(now - c->event.head_ns - open_age_ns) < 0)
		return 0;
	copy = bpf_map_lookup_elem(&open_copy, &zero);
	if (!copy || bpf_probe_read_kernel(copy, sizeof(*copy), &c->event) < 0)
		return 0;
	copy->request_next = c->request.next;
	copy->head_length = c->turns ? c->turn_bytes : c->request.have;
	copy->response_length = 0;
	copy->end = HTTP_END_NONE;
	if (c->turns)
		copy->kind = EVENT_HTTP_TURN;
	/* Unless it has ended meanwhile: then it is told elsewhere, and the copy may be of two. */
	if (*(volatile __u32 *)&c->open &&
	    *(volatile __u32 *)&c->event.exchange == copy->exchange &&
	    bpf_seq_write(context->meta->seq, copy, sizeof(*copy)) == 0 && c->turns)
		c->swept_exchange = copy->exchange;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
