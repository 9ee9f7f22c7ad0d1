/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * With what the HTTP probe's states of connections begin, for other objects that look at its maps.
 */
#ifndef HEADSPAN_MAPS_FOLLOWED_H
#define HEADSPAN_MAPS_FOLLOWED_H

#include "events.h"

/* Of struct connection. */
struct followed {
	struct http_exchange_event event;
};

/* Of struct transcript. */
struct followed_transcript {
	__u64 cookie;
	__u64 cgroup_id;
	__u8 key[40];
	__u32 role;
	__u32 _pad;
};

#endif
