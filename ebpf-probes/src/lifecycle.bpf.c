// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Starts and ends of processes and of cgroups, and the connections that processes leave behind.
 *
 * The BTF tracepoints, not the classic ones, because they hand over the objects themselves: the
 * classic sched_process_exit does not say whether the thread was its process's last, and the
 * classic cgroup tracepoints name the hierarchy by a number without the cgroup's own id.
 */
#include "kernel.h"

#include "events.h"
#include "maps/counters.h"
#include "maps/ring.h"

COUNTERS(lifecycle_counters, LIFECYCLE_COUNTERS);

/*
 * New cgroups, and how many more starts of programs in them are told at once and not at the reader's
 * next beat: a container's state can be read from when its program starts until it has ended, and
 * that may be a moment.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __s32);
} fresh_cgroups SEC(".maps");

#define TOLD_AT_ONCE 4

/* include/linux/sched/signal.h */
#define SIGNAL_GROUP_EXIT 4
/* include/linux/sched.h */
#define PF_EXITING 4

/* As wait_task_zombie of kernel/exit.c has it. */
static __always_inline int exit_code_of(struct task_struct *task)
{
	struct signal_struct *signal = task->signal;

	return signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code :
						   task->group_leader->exit_code;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *binary)
{
	struct exec_event *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	__u64 cgroup_id = bpf_get_current_cgroup_id();
	__u64 flags;
	__s32 *left; /* below 0 if two CPUs take the last one */

	if (!event) {
		count_in(&lifecycle_counters, LIFECYCLE_DROPPED);
		return 0;
	}
	event->kind = EVENT_EXEC;
	event->pid = task->tgid;
	event->time_ns = bpf_ktime_get_ns();
	event->cgroup_id = cgroup_id;
	if (bpf_probe_read_kernel_str(event->filename, sizeof(event->filename),
				      binary->filename) < 0)
		event->filename[0] = 0;
	flags = ring_flags();
	left = bpf_map_lookup_elem(&fresh_cgroups, &cgroup_id);
	if (left && *left > 0) {
		__sync_fetch_and_add(left, -1);
		flags = BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_submit(event, flags);
	return 0;
}

/* The exiting task is the current one, and still in its cgroup. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	struct exit_event *event;

	/* Threads of the process that have not come this far; do_exit has subtracted this one. */
	if (signal->live.counter != 0)
		return 0;
	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event) {
		count_in(&lifecycle_counters, LIFECYCLE_DROPPED);
		return 0;
	}
	event->kind = EVENT_EXIT;
	event->pid = task->tgid;
	event->time_ns = bpf_ktime_get_ns();
	event->cgroup_id = bpf_get_current_cgroup_id();
	event->exit_code = exit_code_of(task);
	event->_pad = 0;
	bpf_ringbuf_submit(event, ring_flags());
	return 0;
}

/*
 * A process that ends closes its sockets itself, in do_exit. So who runs when a connection leaves
 * its established states tells whether it was closed or left. That the running task is the one that
 * closes it, and not one that a packet's arrival interrupts, shows in the socket's lock: tcp_close
 * holds it, and packets wait until it does not.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_socket_state, struct sock *sk, int before, int state)
{
	struct socket_left_event *event;
	struct task_struct *task;
	__u64 cookie;

	if ((before != TCP_ESTABLISHED && before != TCP_CLOSE_WAIT) ||
	    (state != TCP_FIN_WAIT1 && state != TCP_LAST_ACK && state != TCP_CLOSE))
		return 0;
	task = bpf_get_current_task_btf();
	/* Without a cookie, no other program has taken an interest in the socket. */
	cookie = sk->__sk_common.skc_cookie.counter;
	if (!(task->flags & PF_EXITING) || !sk->sk_lock.owned || !cookie)
		return 0;
	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event) {
		count_in(&lifecycle_counters, LIFECYCLE_DROPPED);
		return 0;
	}
	event->kind = EVENT_SOCKET_LEFT;
	event->pid = task->tgid;
	event->time_ns = bpf_ktime_get_ns();
	event->cookie = cookie;
	event->cgroup_id = bpf_get_current_cgroup_id();
	event->exit_code = exit_code_of(task);
	event->oom_killed = task->signal->oom_mm != NULL;
	bpf_ringbuf_submit(event, ring_flags());
	return 0;
}

static __always_inline int cgroup_changed(struct cgroup *cgroup, const char *path, __u32 kind)
{
	__s32 starts = TOLD_AT_ONCE;
	struct cgroup_event *event;
	__u64 id = cgroup->kn->id;

	/* 0 is the v2 hierarchy; the others are those of v1. */
	if (cgroup->root->hierarchy_id != 0)
		return 0;
	if (kind == EVENT_CGROUP_CREATED)
		bpf_map_update_elem(&fresh_cgroups, &id, &starts, BPF_ANY);
	else
		bpf_map_delete_elem(&fresh_cgroups, &id);
	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event) {
		count_in(&lifecycle_counters, LIFECYCLE_DROPPED);
		return 0;
	}
	event->kind = kind;
	event->_pad = 0;
	event->time_ns = bpf_ktime_get_ns();
	event->cgroup_id = id;
	if (bpf_probe_read_kernel_str(event->path, sizeof(event->path), path) < 0)
		event->path[0] = 0;
	bpf_ringbuf_submit(event, ring_flags());
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(on_cgroup_created, struct cgroup *cgroup, const char *path)
{
	return cgroup_changed(cgroup, path, EVENT_CGROUP_CREATED);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(on_cgroup_removed, struct cgroup *cgroup, const char *path)
{
	return cgroup_changed(cgroup, path, EVENT_CGROUP_REMOVED);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
