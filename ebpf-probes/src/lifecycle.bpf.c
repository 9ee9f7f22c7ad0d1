// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Starts and ends of processes and of cgroups.
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

/* include/linux/sched/signal.h */
#define SIGNAL_GROUP_EXIT 4

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *binary)
{
	struct exec_event *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);

	if (!event) {
		count_in(&lifecycle_counters, LIFECYCLE_DROPPED);
		return 0;
	}
	event->kind = EVENT_EXEC;
	event->pid = task->tgid;
	event->time_ns = bpf_ktime_get_ns();
	event->cgroup_id = bpf_get_current_cgroup_id();
	if (bpf_probe_read_kernel_str(event->filename, sizeof(event->filename),
				      binary->filename) < 0)
		event->filename[0] = 0;
	bpf_ringbuf_submit(event, ring_flags());
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
	/* As wait_task_zombie of kernel/exit.c has it. */
	event->exit_code = signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code :
							       task->group_leader->exit_code;
	event->_pad = 0;
	bpf_ringbuf_submit(event, ring_flags());
	return 0;
}

static __always_inline int cgroup_changed(struct cgroup *cgroup, const char *path, __u32 kind)
{
	struct cgroup_event *event;

	/* 0 is the v2 hierarchy; the others are those of v1. */
	if (cgroup->root->hierarchy_id != 0)
		return 0;
	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event) {
		count_in(&lifecycle_counters, LIFECYCLE_DROPPED);
		return 0;
	}
	event->kind = kind;
	event->_pad = 0;
	event->time_ns = bpf_ktime_get_ns();
	event->cgroup_id = cgroup->kn->id;
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
