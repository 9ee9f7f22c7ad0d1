// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Finds accepted connections that were there before the HTTP probe. Nothing shows what is under way
 * on them: of HTTP/2, the tables that headers refer to are gone; of HTTP/1.1, a client may always
 * have two requests under way, so that no response can be given to its request for certain. They
 * are not followed, but counted.
 *
 * Two passes over the open files of all processes, whatever their network namespaces: first for
 * what is listened at, then for the connections of those ports that the probe does not follow. Each
 * of these is written as the inode of its socket, as often as it is open.
 */
#include "kernel.h"

#include "maps/followed.h"

struct listening_key {
	__u32 network;
	__u32 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct listening_key);
	__type(value, __u32);
} listening SEC(".maps");

/* The HTTP probe's; user space shares them. */
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

static __always_inline struct listening_key listening_key(const struct sock_common *common)
{
	struct listening_key key = { .network = common->skc_net.net->ns.inum,
				     .port = common->skc_num };

	return key;
}

static __always_inline struct sock *tcp_socket_of(struct file *file)
{
	struct socket *socket;
	struct sock *sk;

	socket = bpf_sock_from_file(file);
	if (!socket)
		return NULL;
	sk = socket->sk;
	return sk && bpf_skc_to_tcp_sock(sk) ? sk : NULL;
}

SEC("iter/task_file")
int find_listening(struct bpf_iter__task_file *context)
{
	struct file *file = context->file;
	struct listening_key key;
	struct sock *sk;
	__u32 one = 1;

	barrier_var(file); /* Or it is read again behind the test, and the verifier sees another. */
	if (!file)
		return 0;
	sk = tcp_socket_of(file);
	if (!sk || sk->__sk_common.skc_state != TCP_LISTEN)
		return 0;
	key = listening_key(&sk->__sk_common);
	bpf_map_update_elem(&listening, &key, &one, BPF_ANY);
	return 0;
}

SEC("iter/task_file")
int find_older(struct bpf_iter__task_file *context)
{
	struct file *file = context->file;
	struct listening_key key;
	struct sock *sk;
	__u64 inode;

	barrier_var(file);
	if (!file)
		return 0;
	sk = tcp_socket_of(file);
	if (!sk || sk->__sk_common.skc_state != TCP_ESTABLISHED)
		return 0;
	key = listening_key(&sk->__sk_common);
	if (!bpf_map_lookup_elem(&listening, &key))
		return 0;
	if (bpf_sk_storage_get(&connections, sk, NULL, 0) ||
	    bpf_sk_storage_get(&transcripts, sk, NULL, 0))
		return 0;
	inode = file->f_inode->i_ino;
	bpf_seq_write(context->meta->seq, &inode, sizeof(inode));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
