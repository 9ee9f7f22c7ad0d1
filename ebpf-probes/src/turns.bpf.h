/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Turns: connections that a function opened and on which it speaks something else than HTTP, as to
 * databases and caches. What can be seen of any such conversation is who speaks: what the client
 * sends up to the server's first byte is a request, and what the server sends up to the client's
 * next byte its response. A turn is told when the next one begins, when the connection ends, or, to
 * a reader of tell_open, when the server has been silent for a moment. Part of http.bpf.c.
 *
 * Of the bytes, only the first that the client ever sent are kept, from which user space tells the
 * protocol; they are in event.head, and every record has them.
 */
#ifndef HEADSPAN_TURNS_BPF_H
#define HEADSPAN_TURNS_BPF_H

#define TURN_FIRST_BYTES 16
#define TURN_SILENCE_NS 50000000

static __always_inline void tell_turn(struct connection *c, __u32 end, __u64 end_ns)
{
	if (c->swept_exchange == c->event.exchange)
		return;
	c->swept_exchange = c->event.exchange;
	c->event.kind = EVENT_HTTP_TURN;
	c->event.request_next = c->request.next;
	c->event.head_length = c->turn_bytes;
	c->event.response_length = 0;
	c->event.end = end;
	c->event.end_ns = end_ns;
	if (bpf_ringbuf_output(&ring, &c->event,
			       offsetof(struct http_exchange_event, head) + TURN_FIRST_BYTES,
			       ring_flags()) < 0)
		count(HTTP_EXCHANGE_DROPPED);
}

static __always_inline void begin_turn(struct connection *c, __u32 seq, __u64 time_ns)
{
	c->event.exchange++;
	c->event.head_seq = seq;
	c->event.head_ns = time_ns;
	c->event.response_ns = 0;
	c->event.last_ns = 0;
	c->event.response_bytes = 0;
	c->event.open_at_head = open_at_head(c->event.cgroup_id);
	c->open = 1;
}

/* From here on, nothing on the connection is looked at as HTTP. */
static __always_inline void follow_turns(struct connection *c)
{
	count(HTTP_BY_TURNS);
	c->turn_bytes = c->request.have < TURN_FIRST_BYTES ? c->request.have : TURN_FIRST_BYTES;
	if (c->turn_bytes > 0)
		begin_turn(c, c->request.seq, c->event.head_ns);
	c->turns = 1;
}

SEPARATE int take_turn_of_client(struct __sk_buff *skb, struct connection *c, __u32 seq,
				 __u32 length, __u32 from)
{
	__u64 first = length < TURN_FIRST_BYTES ? length : TURN_FIRST_BYTES;
	__s32 growth;

	if (!c || length == 0)
		return 0;
	growth = advance(&c->request, seq + length, true);
	if (growth <= 0 || growth > SEQUENCE_JUMP_MAX)
		return 0;
	if (c->turn_bytes == 0) {
		BOUND(first, TURN_FIRST_BYTES);
		if (bpf_skb_load_bytes(skb, from, c->event.head, first) == 0)
			c->turn_bytes = first;
	}
	if (c->open && c->event.response_ns) {
		tell_turn(c, HTTP_END_NONE, 0);
		c->open = 0;
	}
	if (!c->open)
		begin_turn(c, seq, skb->tstamp ?: bpf_ktime_get_ns());
	return 0;
}

SEPARATE int take_turn_of_server(struct connection *c, __u32 after)
{
	__s32 growth;

	if (!c)
		return 0;
	growth = advance(&c->response, after, false);
	if (growth <= 0 || growth > SEQUENCE_JUMP_MAX || !c->open)
		return 0;
	c->event.last_ns = bpf_ktime_get_ns();
	if (!c->event.response_ns)
		c->event.response_ns = c->event.last_ns;
	c->event.response_bytes += growth;
	return 0;
}

static __always_inline void end_turns(struct connection *c, __u32 end, __u64 now)
{
	if (c->open)
		tell_turn(c, end, now);
	c->open = 0;
}

#endif
