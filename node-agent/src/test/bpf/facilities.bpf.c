// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// One of each thing that the Java side of libbpf can do. LibbpfBpfIT says what is expected.

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

// Only what the iterator's context is needed for.
struct sock;
struct seq_file;
struct bpf_map;
struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));
struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
} __attribute__((preserve_access_index));

#define SAMPLE_WORDS 9 // 72 bytes, as the agent's records

struct emit_request {
	__u64 first; // sequence number of the first record
	__u64 count; // 64 bits wide: clang may hand bpf_loop a whole word, and the kernel looks at it
	__u32 discard_every; // 0: discard nothing
	__u32 wakeup; // force a wake-up with the last record
	__u32 lost; // out: reservations that failed
	__u32 _pad;
};

const volatile __u32 watched_port = 0;
const volatile __u8 one_byte = 1;
const volatile char label[8] = "unset";
__u64 execs = 0;
__s32 adjustable = 7;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} packets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u64);
	__type(value, __u32);
} pairs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

static long emit_one(__u32 index, void *argument)
{
	struct emit_request *request = argument;
	__u64 *sample = bpf_ringbuf_reserve(&samples, SAMPLE_WORDS * sizeof(__u64), 0);

	if (!sample) {
		request->lost++;
		return 0;
	}
	for (int word = 0; word < SAMPLE_WORDS; word++)
		sample[word] = request->first + index + word;
	if (request->discard_every && index % request->discard_every == 0)
		bpf_ringbuf_discard(sample, BPF_RB_NO_WAKEUP);
	else if (request->wakeup && index + 1 == request->count)
		bpf_ringbuf_submit(sample, BPF_RB_FORCE_WAKEUP);
	else
		bpf_ringbuf_submit(sample, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("syscall")
int emit(struct emit_request *request)
{
	struct emit_request local = *request;

	if (bpf_loop(local.count, emit_one, &local, 0) != (long)local.count)
		return 1;
	request->lost = local.lost;
	return 0;
}

SEC("tp_btf/sched_process_exec")
int on_exec(void *context)
{
	(void)context;
	__sync_fetch_and_add(&execs, 1);
	return 0;
}

// Counts UDP packets to the watched port, and remembers their socket.
SEC("cgroup_skb/ingress")
int on_ingress(struct __sk_buff *skb)
{
	__u32 index = 0;
	__u64 *count;
	__u64 *seen;
	struct bpf_sock *socket = skb->sk;

	if (socket)
		socket = bpf_sk_fullsock(socket);
	if (!socket || !watched_port || socket->src_port != watched_port)
		return 1;
	count = bpf_map_lookup_elem(&packets, &index);
	if (count)
		*count += 1;
	seen = bpf_sk_storage_get(&sockets, socket, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (seen)
		__sync_fetch_and_add(seen, 1);
	return 1;
}

SEC("iter/bpf_sk_storage_map")
int each_socket(struct bpf_iter__bpf_sk_storage_map *context)
{
	__u64 *seen = context->value;

	if (context->sk && seen)
		bpf_seq_write(context->meta->seq, seen, sizeof(*seen));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
