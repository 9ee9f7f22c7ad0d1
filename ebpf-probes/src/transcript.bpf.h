/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Transcripts: connections whose bytes go to user space, because only there they can be read.
 * HTTP/2 compresses its heads with what came before on the connection (HPACK), so all of them have
 * to get there, in order; the rest need not. Part of http.bpf.c.
 *
 * A direction is a row of frames. `at` is the number of the next byte that matters: the header of a
 * frame, or payload that is kept. For DATA that is the next header, so its payload is nothing but
 * packets that end before `at`, whatever their order. Frames that say nothing (DATA that does not
 * end its stream, PING, WINDOW_UPDATE, PRIORITY) cause no record; if one is written anyway, they
 * are in it.
 *
 * A packet that begins behind `at` leaves a hole, and where frames begin behind it is not known any
 * more. From then on everything is handed on raw, whatever comes in whatever order, and user space
 * puts it together. When it has everything up to a frame's beginning, it says so in resume_points,
 * and if the next packet of the direction covers that place, frames are followed again. It also
 * says which streams were open there, so that the number of open ones is known again.
 *
 * HTTP/1.1 with pipelined requests has no frames and is raw from beginning to end. Where user space
 * has read that a long body begins, it says in resume_points where that ends.
 */
#ifndef HEADSPAN_TRANSCRIPT_BPF_H
#define HEADSPAN_TRANSCRIPT_BPF_H

/* Steps taken in one packet, two for most frames, and tries for a direction that another CPU is busy with. */
#define FRAMES_MAX 1024
#define BUSY_TRIES 64

/* What a direction may hand on raw before it is given up. */
#define RAW_BYTES_MAX (16 << 20)

/* Of struct transcript's `broken`: it is over, and why is counted. */
#define TRANSCRIPT_UNWANTED 2

/* RFC 9113, section 6 */
enum frame_type {
	FRAME_DATA = 0,
	FRAME_HEADERS = 1,
	FRAME_PRIORITY = 2,
	FRAME_RST_STREAM = 3,
	FRAME_SETTINGS = 4,
	FRAME_PING = 6,
	FRAME_WINDOW_UPDATE = 8,
};

enum {
	PREFACE_BYTES = 24,
	FRAME_END_STREAM = 1,
};

/* What open_exchanges counts in its upper half. */
#define OPEN_UNCERTAIN (1ULL << 32)

/* Payload of one packet in a transcript. */
struct passage {
	__u64 time_ns;
	__u32 seq;
	__u32 length;
	__u32 from;		/* offset in the source */
	__u32 direction;
};

/* How many exchanges of a cgroup are open, as http_exchange_event has it. */
static __always_inline __u32 open_at_head(__u64 cgroup_id)
{
	__u64 *open = bpf_map_lookup_elem(&open_exchanges, &cgroup_id);

	if (!open)
		return 0;
	return *open >= OPEN_UNCERTAIN ? HTTP_OPEN_UNKNOWN : (__u32)*open;
}

static __always_inline void add_open(const struct transcript *t, __u64 number)
{
	__u64 cgroup_id = t->cgroup_id; /* a key from the stack, which Linux 6.1 asks for */
	__u64 *open = bpf_map_lookup_elem(&open_exchanges, &cgroup_id);

	if (open)
		__sync_fetch_and_add(open, number);
}

/* Until this is settled it is not known how many of the connection's streams are open. */
SEPARATE int lose_count(struct transcript *t)
{
	if (!t || t->role != HTTP_ROLE_SERVER || compare_and_swap(&t->uncertain, 0, 1) != 0)
		return 0;
	add_open(t, OPEN_UNCERTAIN);
	return 0;
}

SEPARATE int open_stream(struct transcript *t, __u32 stream)
{
	__u32 at = stream / 2 % STREAM_BITS;
	__u64 bit = 1ULL << (at % 64);

	if (!t || t->role != HTTP_ROLE_SERVER || (__s32)(stream - t->last_stream) <= 0)
		return 0;
	t->last_stream = stream;
	if (__sync_fetch_and_or(&t->open[at / 64 % (STREAM_BITS / 64)], bit) & bit) {
		/* One that has been open for so long that its place was needed again. */
		lose_count(t);
		return 0;
	}
	__sync_fetch_and_add(&t->open_streams, 1);
	add_open(t, 1);
	return 0;
}

SEPARATE int end_stream(struct transcript *t, __u32 stream)
{
	__u32 at = stream / 2 % STREAM_BITS;
	__u64 bit = 1ULL << (at % 64);

	if (!t || t->role != HTTP_ROLE_SERVER || !(stream & 1))
		return 0;
	if ((__s32)(stream - t->last_stream) > 0) {
		/* Its beginning was handed on raw. */
		if (t->directions[HTTP_FROM_CLIENT].raw)
			__sync_fetch_and_or(&t->open[at / 64 % (STREAM_BITS / 64)], bit);
		return 0;
	}
	if (!(__sync_fetch_and_and(&t->open[at / 64 % (STREAM_BITS / 64)], ~bit) & bit))
		return 0;
	__sync_fetch_and_add(&t->open_streams, -1);
	add_open(t, -1);
	return 0;
}

static __always_inline void forget_streams(const struct transcript *t)
{
	__u64 number = t->open_streams;

	if (t->role != HTTP_ROLE_SERVER)
		return;
	if (t->uncertain)
		number += OPEN_UNCERTAIN;
	if (number > 0)
		add_open(t, -number);
}

static __always_inline void begin_record(const struct transcript *t, struct http_bytes_event *event,
					 __u32 direction, __u64 time_ns)
{
	event->kind = EVENT_HTTP_BYTES;
	event->cookie = t->cookie;
	event->time_ns = time_ns;
	event->direction = direction;
	event->open_at_head = t->role == HTTP_ROLE_CLIENT && direction == HTTP_FROM_CLIENT ?
				      open_at_head(t->cgroup_id) :
				      HTTP_OPEN_UNKNOWN;
}

/* Hands on the record in the making. */
SEPARATE int tell_bytes(struct transcript *t, const struct passage *p)
{
	struct transcript_direction *d;
	__u64 length;

	if (!t || !p)
		return 0;
	d = &t->directions[p->direction & 1];
	length = d->event.length;
	if (length == 0) {
		begin_record(t, &d->event, p->direction & 1, p->time_ns);
		d->event.seq = d->at;
		d->event.from_seq = d->told;
	}
	d->event.until_seq = p->seq + p->length;
	d->event.raw = 0;
	length = (length & (2 * HTTP_TRANSCRIPT_BYTES - 1)) + offsetof(struct http_bytes_event, bytes);
	if (length > sizeof(d->event))
		length = sizeof(d->event);
	if (bpf_ringbuf_output(&ring, &d->event, length, ring_flags()) < 0)
		t->broken = 1;
	d->event.length = 0;
	d->told = d->at;
	d->due = 0;
	d->partial = d->keep > 0 || d->header_length > 0;
	return 0;
}

/* Puts bytes from `at` on into the record in the making; returns how many, or -1. */
static __always_inline int keep_bytes(const struct source *source, struct transcript *t,
				      const struct passage *p, struct transcript_direction *d,
				      __u32 length)
{
	__u32 from = p->from + (d->at - p->seq);
	__u32 have = d->event.length;

	if (have >= HTTP_TRANSCRIPT_BYTES) {
		tell_bytes(t, p);
		have = 0;
	}
	if (have == 0) {
		begin_record(t, &d->event, p->direction & 1, p->time_ns);
		d->event.seq = d->at;
		d->event.from_seq = d->told;
		if (d->partial)
			d->due = 1;
	}
	if (length > HTTP_TRANSCRIPT_BYTES - have)
		length = HTTP_TRANSCRIPT_BYTES - have;
	if (length == 0 ||
	    put(source, from, d->event.bytes, have, length, HTTP_TRANSCRIPT_BYTES) < 0)
		return -1;
	d->event.length = have + length;
	d->at += length;
	return length;
}

/* Takes note of a frame whose header is there; `at` is behind it. */
SEPARATE int begin_frame(struct transcript *t, struct transcript_direction *d, __u32 direction)
{
	__u32 length, stream;
	__u8 type, flags;

	if (!t || !d)
		return 0;
	length = d->header[0] << 16 | d->header[1] << 8 | d->header[2];
	type = d->header[3];
	flags = d->header[4];
	stream = (d->header[5] & 0x7f) << 24 | d->header[6] << 16 | d->header[7] << 8 | d->header[8];
	d->header_length = 0;
	switch (type) {
	case FRAME_DATA:
		d->at += length;
		break;
	default:
		d->keep = length;
	}
	if (type != FRAME_DATA && type != FRAME_PING && type != FRAME_WINDOW_UPDATE &&
	    type != FRAME_PRIORITY)
		d->due = 1;
	if (type == FRAME_DATA && flags & FRAME_END_STREAM) {
		d->due = 1;
		d->ending = 1;
	}
	if (direction == HTTP_FROM_CLIENT && type == FRAME_HEADERS && stream & 1)
		open_stream(t, stream);
	if (type == FRAME_RST_STREAM ||
	    (direction == HTTP_FROM_SERVER && flags & FRAME_END_STREAM &&
	     (type == FRAME_HEADERS || type == FRAME_DATA)))
		end_stream(t, stream);
	return 0;
}

/* Goes one step on in a packet: to the end of a frame's header or of its kept payload. */
static __always_inline int step(const struct source *source, struct transcript *t,
				const struct passage *p)
{
	struct transcript_direction *d = &t->directions[p->direction & 1];
	__u32 left = p->seq + p->length - d->at;
	__u32 have = d->header_length;
	__u64 length;

	if ((__s32)left <= 0)
		return 0;
	if (d->keep > 0) {
		__s32 kept = keep_bytes(source, t, p, d, d->keep < left ? d->keep : left);

		if (kept < 0)
			return -1;
		d->keep -= kept;
		return 1;
	}
	if (have >= FRAME_HEADER_BYTES)
		return -1;
	length = FRAME_HEADER_BYTES - have;
	if (length > left)
		length = left;
	BOUND(length, 16);
	if (read_bytes(source, p->from + (d->at - p->seq), d->header + (have & 15), length) < 0)
		return -1;
	/* A record ends where a header would not fit, so that it is in one with its beginning. */
	if (d->event.length > HTTP_TRANSCRIPT_BYTES - FRAME_HEADER_BYTES)
		tell_bytes(t, p);
	if (keep_bytes(source, t, p, d, length) != (int)length)
		return -1;
	d->header_length = have + length;
	if (d->header_length == FRAME_HEADER_BYTES)
		begin_frame(t, d, p->direction & 1);
	return 1;
}

SEPARATE int step_packet(struct __sk_buff *skb, struct transcript *t, const struct passage *p)
{
	struct source source = { .skb = skb };

	return t && p ? step(&source, t, p) : -1;
}

SEPARATE int step_early(const struct early_head *early, struct transcript *t,
			const struct passage *p)
{
	struct source source = { .early = early };

	return early && t && p ? step(&source, t, p) : -1;
}

/* Steps to the end of what was seen, or of what one packet may hold. Returns what the last did. */
SEPARATE int steps_in_packet(struct __sk_buff *skb, struct transcript *t, const struct passage *p)
{
	int more = 1;

	for (__u32 i = 0; i < FRAMES_MAX && more > 0; i++)
		more = step_packet(skb, t, p);
	return more;
}

SEPARATE int steps_in_early(const struct early_head *early, struct transcript *t,
			    const struct passage *p)
{
	int more = 1;

	for (__u32 i = 0; i < FRAMES_MAX && more > 0; i++)
		more = step_early(early, t, p);
	return more;
}

/* Hands on the next piece of a packet as it is. Returns its length, or less than 1 if it did not. */
static __always_inline int tell_raw_piece(const struct source *source, struct transcript *t,
					  const struct passage *p, __u32 skip)
{
	struct http_bytes_event *event;
	__u64 piece;

	if (skip >= p->length)
		return 0;
	piece = p->length - skip;
	if (piece > HTTP_TRANSCRIPT_BYTES)
		piece = HTTP_TRANSCRIPT_BYTES;
	BOUND(piece, HTTP_TRANSCRIPT_BYTES);
	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event)
		return -1;
	if (read_bytes(source, p->from + skip, event->bytes, piece) < 0) {
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return -1;
	}
	begin_record(t, event, p->direction & 1, p->time_ns);
	event->seq = p->seq + skip;
	event->from_seq = event->seq;
	event->until_seq = event->seq + piece;
	event->length = piece;
	event->raw = 1;
	bpf_ringbuf_submit(event, ring_flags());
	return piece;
}

/* Of their own, and not in the loop: older verifiers follow each record that it reserves. */
SEPARATE int tell_raw_piece_of_packet(struct __sk_buff *skb, struct transcript *t,
				      const struct passage *p, __u32 skip)
{
	struct source source = { .skb = skb };

	return t && p ? tell_raw_piece(&source, t, p, skip) : -1;
}

SEPARATE int tell_raw_piece_of_early(const struct early_head *early, struct transcript *t,
				     const struct passage *p, __u32 skip)
{
	struct source source = { .early = early };

	return early && t && p ? tell_raw_piece(&source, t, p, skip) : -1;
}

/* Hands on what of a packet lies behind an offset, as it is. */
static __always_inline void tell_raw(const struct source *source, struct transcript *t,
				     const struct passage *p, __u32 skip)
{
	__u32 direction = p->direction & 1;
	__u32 end = p->seq + p->length;

	if ((__s32)(end - t->directions[direction].raw_until) > 0)
		t->directions[direction].raw_until = end;
	/* Packets that never leave the machine may be longer than any IP header could say. */
	for (__u32 i = 0; i < 4 * 65536 / HTTP_TRANSCRIPT_BYTES + 1; i++) {
		int told = source->skb ? tell_raw_piece_of_packet(source->skb, t, p, skip) :
					 tell_raw_piece_of_early(source->early, t, p, skip);

		if (told == 0)
			return;
		if (told < 0)
			break;
		skip += told;
	}
	/* A record was lost, or there was more than any packet holds. */
	t->broken = 1;
}

SEPARATE int tell_raw_packet(struct __sk_buff *skb, struct transcript *t, const struct passage *p,
			     __u32 skip)
{
	struct source source = { .skb = skb };

	if (t && p)
		tell_raw(&source, t, p, skip);
	return 0;
}

SEPARATE int tell_raw_early(const struct early_head *early, struct transcript *t,
			    const struct passage *p, __u32 skip)
{
	struct source source = { .early = early };

	if (early && t && p)
		tell_raw(&source, t, p, skip);
	return 0;
}

/* From `until` on, a direction is handed on raw. */
static __always_inline void begin_raw(struct transcript *t, struct transcript_direction *d,
				      __u32 until)
{
	count(HTTP_TRANSCRIPT_RAW);
	d->raw_bytes = 0;
	d->raw_until = until;
	d->raw = 1;
	d->uncounted = 1;
	lose_count(t);
}

/* The direction lost track of its frames. */
SEPARATE int go_raw(struct transcript *t, struct transcript_direction *d, const struct passage *p)
{
	if (!t || !d || !p || d->raw)
		return 0;
	if (d->told != d->at || d->event.length > 0)
		tell_bytes(t, p);
	begin_raw(t, d, d->at);
	return 0;
}

/* What user space said of a packet's direction; ends the transcript if it wants no more. */
static __always_inline struct resume_point *find_resume_point(struct transcript *t,
							      const struct passage *p)
{
	struct resume_key key = { .cookie = t->cookie, .direction = p->direction };
	struct resume_point *point = bpf_map_lookup_elem(&resume_points, &key);

	if (point && point->leave)
		t->broken = TRANSCRIPT_UNWANTED;
	return point;
}

static __always_inline bool enter(struct transcript_direction *d)
{
	for (int i = 0; i < BUSY_TRIES; i++)
		if (compare_and_swap(&d->busy, 0, 1) == 0)
			return true;
	return false;
}

static __always_inline __u32 count_bits(__u64 bits)
{
	bits -= bits >> 1 & 0x5555555555555555ULL;
	bits = (bits & 0x3333333333333333ULL) + (bits >> 2 & 0x3333333333333333ULL);
	bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return bits * 0x0101010101010101ULL >> 56;
}

/*
 * Brings the streams to what user space knows of them, which has read `direction` up to the place
 * that is here now, and the other one up to some time ago. A stream that it does not have as open
 * any more has ended. The caller holds `busy` of both directions.
 */
static __always_inline void settle_streams(struct transcript *t, const struct resume_point *point,
					   __u32 direction)
{
	/* In numbers of streams up to the last one, known here and there. */
	__u32 here = (t->last_stream + 1) / 2;
	__u32 there = (point->last_stream + 1) / 2;
	__u32 top = here > there ? here : there;
	__u32 number = 0;

	for (__u32 i = 0; i < STREAM_BITS / 64; i++) {
		__s32 block = (__s32)((top + 63) / 64) - 1 - i;
		__u32 word = block & (STREAM_BITS / 64 - 1);
		__u64 known, unseen, later, old, open, told;

		if (block < 0)
			break;
		known = bits_before(here, block) & bits_before(there, block);
		unseen = bits_before(there, block) & ~bits_before(here, block);
		later = bits_before(here, block) & ~bits_before(there, block);
		old = t->open[word];
		told = point->open[word];
		open = (old & told & known) | (old & later);
		if (direction == HTTP_FROM_CLIENT)
			open |= told & ~old & unseen;
		number += count_bits(open);
		if (direction != HTTP_FROM_CLIENT)
			open |= (old | ~told) & unseen;
		t->open[word] = open;
	}
	if (direction == HTTP_FROM_CLIENT && (__s32)(point->last_stream - t->last_stream) > 0)
		t->last_stream = point->last_stream;
	add_open(t, (__u64)number - t->open_streams);
	t->open_streams = number;
	t->directions[direction & 1].uncounted = 0;
	if (!t->directions[HTTP_FROM_CLIENT].uncounted &&
	    !t->directions[HTTP_FROM_SERVER].uncounted &&
	    compare_and_swap(&t->uncertain, 1, 0) == 1)
		add_open(t, -OPEN_UNCERTAIN);
}

/* False if the other direction is being read at the moment. */
SEPARATE int settle_count(struct transcript *t, const struct resume_point *point, __u32 direction)
{
	struct transcript_direction *other;

	if (!t || !point || t->role != HTTP_ROLE_SERVER || !point->counted)
		return 1;
	other = &t->directions[~direction & 1];
	if (!enter(other))
		return 0;
	settle_streams(t, point, direction & 1);
	*(volatile __u32 *)&other->busy = 0;
	return 1;
}

/* Whether frames can be followed again from within this packet on. */
SEPARATE int resumes(struct transcript *t, struct transcript_direction *d, const struct passage *p)
{
	struct resume_point *point;

	if (!t || !d || !p)
		return 0;
	point = find_resume_point(t, p);
	if (!point || (__s32)(point->seq - p->seq) < 0 ||
	    (__s32)(p->seq + p->length - point->seq) <= 0)
		return 0;
	/* Not at a repetition of what is known behind that place already. */
	if ((__s32)(point->seq - d->raw_until) < 0)
		return 0;
	if (!settle_count(t, point, p->direction))
		return 0;
	d->at = point->seq;
	d->told = d->at;
	d->keep = 0;
	d->header_length = 0;
	d->event.length = 0;
	d->due = 0;
	d->partial = 0;
	d->ending = 0;
	d->raw = 0;
	return 1;
}

/* Hands on what is of interest in a packet of HTTP/1. */
static __always_inline void read_messages(const struct source *source, struct transcript *t,
					  struct transcript_direction *d, const struct passage *p)
{
	const struct resume_point *point = find_resume_point(t, p);
	__s32 skip;

	if (point && (__s32)(point->seq - d->at) > 0)
		d->at = point->seq;
	if (t->broken || (__s32)(p->seq + p->length - d->at) <= 0)
		return;
	skip = d->at - p->seq;
	if (skip < 0)
		skip = 0;
	if (source->skb)
		tell_raw_packet(source->skb, t, p, skip);
	else
		tell_raw_early(source->early, t, p, skip);
}

/* Goes over one packet. The caller holds `busy`. */
static __always_inline void read_frames(const struct source *source, struct transcript *t,
					struct transcript_direction *d, const struct passage *p)
{
	__s32 more = 1;
	__u32 skip;

	if (d->overtaken) {
		__u32 until = d->raw_until;

		d->overtaken = 0;
		go_raw(t, d, p);
		if ((__s32)(until - d->raw_until) > 0)
			d->raw_until = until;
	}
	if (d->raw && !resumes(t, d, p)) {
		d->raw_bytes += p->length;
		if (source->skb)
			tell_raw_packet(source->skb, t, p, 0);
		else
			tell_raw_early(source->early, t, p, 0);
		return;
	}
	if ((__s32)(p->seq + p->length - d->at) <= 0) {
		if (d->ending && p->seq + p->length == d->at) {
			d->ending = 0;
			tell_bytes(t, p);
		}
		return;
	}
	if ((__s32)(d->at - p->seq) >= 0) {
		if (d->ending) {
			d->ending = 0;
			d->due = 1;
		}
		more = source->skb ? steps_in_packet(source->skb, t, p) :
				     steps_in_early(source->early, t, p);
	}
	if (more < 0) {
		t->broken = 1;
		return;
	}
	if (more == 0) {
		/* In the middle of a frame, what is kept has to go before the next packet. */
		if (d->due || d->keep > 0 || d->header_length > 0)
			tell_bytes(t, p);
		d->event.length = 0;
		if (d->ending && (__s32)(p->seq + p->length - d->at) >= 0)
			d->ending = 0;
		return;
	}
	/* Behind a hole, or too many frames in one packet. */
	skip = (__s32)(d->at - p->seq) > 0 ? d->at - p->seq : 0;
	go_raw(t, d, p);
	if (source->skb)
		tell_raw_packet(source->skb, t, p, skip);
	else
		tell_raw_early(source->early, t, p, skip);
}

static __always_inline void read_passage(const struct source *source, struct transcript *t,
					 struct transcript_direction *d, const struct passage *p)
{
	if (t->protocol == HTTP_PROTOCOL_1)
		read_messages(source, t, d, p);
	else
		read_frames(source, t, d, p);
}

/* The transcript is over: its state goes. Tries again at the next packet if the ring is full. */
static __noinline int end_transcript(struct transcript *t, struct bpf_sock *sk, __u32 end,
				     __u64 end_ns)
{
	struct http_transcript_end_event *event =
		bpf_ringbuf_reserve(&ring, sizeof(*event), 0);

	if (event) {
		event->kind = EVENT_HTTP_TRANSCRIPT_END;
		event->end = end;
		event->cookie = t->cookie;
		event->end_ns = end_ns;
		bpf_ringbuf_submit(event, ring_flags());
	} else if (end == HTTP_END_LEFT) {
		return 0;
	}
	forget_streams(t);
	if (t->role == HTTP_ROLE_CLIENT) {
		struct connection_key key = t->key; /* as in add_open */

		bpf_map_delete_elem(&local_clients, &key);
	}
	bpf_sk_storage_delete(&transcripts, sk);
	return 0;
}

static __always_inline void take_passage(const struct source *source, struct bpf_sock *sk,
					 struct transcript *t, const struct passage *p)
{
	struct transcript_direction *d = &t->directions[p->direction & 1];

	if (enter(d)) {
		if (!t->broken)
			read_passage(source, t, d, p);
		*(volatile __u32 *)&d->busy = 0;
	} else {
		/* Another CPU has packets of this direction, for longer than it should take. */
		*(volatile __u32 *)&d->overtaken = 1;
		if (source->skb)
			tell_raw_packet(source->skb, t, p, 0);
		else
			tell_raw_early(source->early, t, p, 0);
	}
	if (t->broken || d->raw_bytes > RAW_BYTES_MAX) {
		if (t->broken < TRANSCRIPT_UNWANTED) {
			count(t->broken ? HTTP_BYTES_DROPPED : HTTP_TRANSCRIPT_TOO_LONG);
			t->broken = TRANSCRIPT_UNWANTED;
		}
		end_transcript(t, sk, HTTP_END_LEFT, 0);
	}
}

SEPARATE int take_passage_of_packet(struct __sk_buff *skb, struct transcript *t,
				    const struct passage *p)
{
	struct source source = { .skb = skb };
	struct bpf_sock *sk = skb->sk;

	if (sk && t && p)
		take_passage(&source, sk, t, p);
	return 0;
}

/* Takes a packet of a transcript. */
static __always_inline void transcribe(const struct source *source, struct bpf_sock *sk,
				       struct transcript *t, const struct segment *segment,
				       __u64 time_ns, __u32 direction)
{
	struct transcript_direction *d = &t->directions[direction & 1];
	__u32 end = segment->seq + segment->length;
	struct passage p;

	/* The payload of DATA, mostly. */
	if (!d->raw && ((__s32)(end - d->at) < 0 || (end == d->at && !d->ending)))
		return;
	p.time_ns = time_ns ?: bpf_ktime_get_ns();
	p.seq = segment->seq;
	p.length = segment->length;
	p.from = segment->from;
	p.direction = direction;
	if (source->skb)
		take_passage_of_packet(source->skb, t, &p);
	else
		take_passage(source, sk, t, &p);
}

#endif
