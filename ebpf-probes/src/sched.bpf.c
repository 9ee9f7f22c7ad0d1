// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What becomes of the time of threads: on a CPU, waiting for one behind whom, throttled, asleep.
 *
 * Why these hooks: sched_switch and the wake-ups are the only places that see every change of a
 * thread's state; tcp_rcv_space_adjust runs in the thread that has just read from a socket, and
 * sock_send_length in the one that has just written to it, without a hook on system calls. All are
 * BTF tracepoints, which hand over the objects themselves.
 *
 * How it works. Threads of watched cgroups, and those that read requests, have a struct thread.
 * All other threads are told by one load and leave at once; only who they are is noted in the log
 * of their CPU, because they may be what a watched thread waits for. When a watched thread that was
 * runnable gets its CPU, the log says who had it meanwhile, stretch by stretch: each is charged to
 * the tenant of its cgroup, in the matrix and in the thread's open record, always to both.
 *
 * A record leaves when the thread picks up a request, when it answers one or calls somebody in
 * between, when it has something to tell and leaves its CPU or wakes another thread of its process
 * up, and at its end. What is in it is what happened since the last one, so that the sum of all
 * records and of what is still in open ones is the matrix, to the nanosecond. To which invocations
 * a record belongs is for user space to find out.
 *
 * Who writes what. A thread's state is written by its own CPU: on a switch, and in the two socket
 * hooks, for which tracepoints have preemption off; by who wakes it up or migrates it, only while it
 * does not run and with its run queue locked. A CPU's log is written by that CPU on switches; its
 * number of waiting threads by all, atomically.
 */
#include "kernel.h"

#include "events.h"
#include "maps/ring.h"
#include "maps/sched.h"

/* include/linux/sched.h */
#define PF_KTHREAD 0x00200000
#define TASK_DEAD 0x00000080

/* A thread that neither picks up nor answers tells about itself at most this often. */
#define TELL_EVERY_NS 5000000ULL
/* CPU time that is worth a record of its own. */
#define TELL_CPU_NS 50000ULL

static __always_inline void count(__u32 index)
{
	count_in(&sched_counters, index);
}

/* --- Kernel objects ------------------------------------------------------------------------- */

static __always_inline __u64 cgroup_of(const struct task_struct *task)
{
	return task->cgroups->dfl_cgrp->kn->id;
}

static __always_inline __u64 occupant_of(const struct task_struct *task)
{
	if (task->pid == 0)
		return OCCUPANT_IDLE;
	if (task->flags & PF_KTHREAD)
		return OCCUPANT_KERNEL;
	return cgroup_of(task);
}

static __always_inline __u32 cpu_of(const struct task_struct *task)
{
	if (bpf_core_field_exists(task->thread_info.cpu))
		return task->thread_info.cpu;
	return BPF_CORE_READ((const struct task_struct___cpu *)task, cpu);
}

static __always_inline __u64 state_of(const struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return BPF_CORE_READ((const struct task_struct___state *)task, state);
}

/* How long a group has been throttled on a CPU, up to now. */
struct throttling {
	__u64 ns;
	__u64 lag_ns;	/* how far the clock that ns is of is behind the run queue's own */
};

static __always_inline __u64 up_to(__u64 now, __u64 since)
{
	return now > since ? now - since : 0;
}

/*
 * The kernel's totals, of this group and those above it. Since 6.5 there is one in the run queue's
 * own clock. The one before is in the clock of the load averages, which runs slower while the CPU
 * does and catches up when it is idle; before 5.19, in the one that stands still in interrupts.
 */
static __always_inline struct throttling throttling_of(const struct cfs_rq *group)
{
	const struct cfs_rq___task *older = (const struct cfs_rq___task *)group;
	struct throttling throttling = {};
	const struct rq *rq = group->rq;
	__u64 clock;

	if (bpf_core_field_exists(group->throttled_clock_self_time)) {
		throttling.ns = group->throttled_clock_self_time;
		if (group->throttled_clock_self)
			throttling.ns += up_to(rq->clock, group->throttled_clock_self);
	} else if (bpf_core_field_exists(group->throttled_clock_pelt_time)) {
		clock = rq->clock_pelt - rq->lost_idle_time;
		throttling.ns = group->throttled_clock_pelt_time;
		if (group->throttle_count)
			throttling.ns += up_to(clock, group->throttled_clock_pelt);
		throttling.lag_ns = rq->clock - clock;
	} else if (bpf_core_field_exists(older->throttled_clock_task_time)) {
		clock = rq->clock_task;
		throttling.ns = BPF_CORE_READ(older, throttled_clock_task_time);
		if (group->throttle_count)
			throttling.ns += up_to(clock, BPF_CORE_READ(older, throttled_clock_task));
		throttling.lag_ns = rq->clock - clock;
	}
	return throttling;
}

static __always_inline struct cpu_log *log_of(__u32 cpu)
{
	return bpf_map_lookup_elem(&cpu_logs, &cpu);
}

/* --- Records -------------------------------------------------------------------------------- */

static __always_inline void tell(struct thread *t, __u32 cause, __u64 cookie, __u32 request,
				__u64 now)
{
	__u64 waits = t->event.wait_count;
	long result;

	t->event.cause = cause;
	t->event.cookie = cookie;
	t->event.request = request;
	t->event.time_ns = now;
	if (waits > ACCOUNT_WAITS)
		waits = ACCOUNT_WAITS;
	result = bpf_ringbuf_output(&ring, &t->event,
				    offsetof(struct account_event, waits) +
					    waits * sizeof(struct account_wait),
				    ring_flags());
	t->told_ns = now;
	if (result < 0) {
		/* The amounts stay, and leave with the next record. */
		count(SCHED_RECORDS_REFUSED);
		return;
	}
	t->event.from_ns = now;
	t->event.cpu_ns = 0;
	t->event.blocked_ns = 0;
	t->event.throttled_ns = 0;
	t->event.throttled_woken_ns = 0;
	t->event.wait_count = 0;
	t->event.helped = 0;
	t->event.tenant = t->tenant;
}

/* A later write of the same answer, kept back until something else happened. */
static __always_inline void tell_written(struct thread *t)
{
	if (!t->written)
		return;
	t->written = 0;
	tell(t, ACCOUNT_ANSWER, t->written_cookie, t->written_request, t->written_ns);
}

static __always_inline bool has_news(const struct thread *t)
{
	return t->event.wait_count > 0 || t->event.cpu_ns >= TELL_CPU_NS;
}

/* Adds the time on the CPU up to now to the open record of a running thread. */
static __always_inline void settle_cpu(struct thread *t, __u64 now)
{
	if (t->state == THREAD_RUNNING && now > t->since_ns)
		t->event.cpu_ns += now - t->since_ns;
	t->state = THREAD_RUNNING;
	t->since_ns = now;
}

/* --- Waits ---------------------------------------------------------------------------------- */

static __always_inline __u32 tenant_of(__u64 occupant)
{
	struct tenant_entry *entry;

	if (occupant == OCCUPANT_IDLE)
		return TENANT_IDLE;
	if (occupant == OCCUPANT_KERNEL)
		return TENANT_KERNEL;
	entry = bpf_map_lookup_elem(&tenants, &occupant);
	return entry ? entry->tenant : TENANT_UNKNOWN;
}

static __always_inline bool add_to_matrix(__u32 victim, __u32 culprit, __u64 ns)
{
	struct matrix_key key = { .victim = victim, .culprit = culprit };
	struct matrix_cell *cell = bpf_map_lookup_elem(&matrix, &key);

	if (!cell) {
		struct matrix_cell none = {};

		bpf_map_update_elem(&matrix, &key, &none, BPF_NOEXIST);
		cell = bpf_map_lookup_elem(&matrix, &key);
		if (!cell)
			return false;
	}
	__sync_fetch_and_add(&cell->ns, ns);
	__sync_fetch_and_add(&cell->count, 1);
	return true;
}

/* The place of a tenant in the open record, a new one if need be. NULL if all are taken. */
static __always_inline struct account_wait *find_wait(struct thread *t, __u32 culprit)
{
	for (__u32 i = 0; i < ACCOUNT_WAITS; i++) {
		struct account_wait *wait = &t->event.waits[i];

		if (i >= t->event.wait_count) {
			wait->tenant = culprit;
			wait->count = 0;
			wait->ns = 0;
			wait->woken_ns = 0;
			t->event.wait_count = i + 1;
			return wait;
		}
		if (wait->tenant == culprit)
			return wait;
	}
	return NULL;
}

/*
 * Charges a stretch of waiting to a tenant, both in the matrix and in the record, or in neither.
 * Not inlined: the verifier looks at it once.
 */
static __noinline int charge(struct thread *t, __u32 culprit, __u64 ns, __u64 now)
{
	struct account_wait *wait;

	if (!t)
		return 0;
	wait = find_wait(t, culprit);
	if (!wait) {
		tell(t, ACCOUNT_PERIOD, 0, 0, now);
		wait = find_wait(t, culprit);
	}
	if (!wait || !add_to_matrix(t->event.tenant, culprit, ns)) {
		count(SCHED_WAITS_NOT_CHARGED);
		return 0;
	}
	wait->count++;
	wait->ns += ns;
	wait->woken_ns += ns;
	return 0;
}

struct walk {
	struct thread *thread;
	struct cpu_log *log;
	__u64 from_ns;
	__u64 to_ns;	/* what is left is [from_ns, to_ns) */
	__u64 now;
};

/* One stretch, from the newest on backwards. */
static long walk_back(__u32 index, struct walk *walk)
{
	struct occupant *occupant =
		&walk->log->entries[(walk->log->head - index) & (CPU_LOG_ENTRIES - 1)];
	__u64 start_ns = occupant->start_ns;
	__u64 from_ns = start_ns > walk->from_ns ? start_ns : walk->from_ns;

	if (walk->to_ns > from_ns) {
		charge(walk->thread, tenant_of(occupant->cgroup_id), walk->to_ns - from_ns,
		       walk->now);
		walk->to_ns = from_ns;
	}
	return start_ns <= walk->from_ns;
}

static __always_inline void begin_wait(struct thread *t, const struct task_struct *task, __u32 cpu,
				       struct cpu_log *log, __u64 now)
{
	const struct cfs_rq *group = task->se.cfs_rq;

	t->state = THREAD_WAITING;
	t->since_ns = now;
	t->cpu = cpu;
	t->group = (__u64)group;
	if (group) {
		struct throttling throttling = throttling_of(group);

		t->group_throttled_ns = throttling.ns;
		t->group_lag_ns = throttling.lag_ns;
	}
	__sync_fetch_and_add(&log->waiting, 1);
}

/*
 * Ends a wait. The time in which its group was throttled comes first in it, as far as anybody can
 * tell: a thread is taken off when the quota is used up, and queues for its CPU afterwards. By what
 * the clock of that time lost or caught up meanwhile, it may have been longer or shorter: so much is
 * charged to nobody known.
 */
static __always_inline void end_wait(struct thread *t, const struct task_struct *task,
				     struct cpu_log *log, __u64 now)
{
	const struct cfs_rq *group = task->se.cfs_rq;
	struct walk walk = { .thread = t, .log = log, .to_ns = now, .now = now };
	__u64 throttled_ns = 0;
	__u64 unsure_ns = 0;

	__sync_fetch_and_add(&log->waiting, -1);
	if (now <= t->since_ns)
		return;
	if (group && (__u64)group == t->group) {
		struct throttling throttling = throttling_of(group);
		__s64 lost_ns = throttling.lag_ns - t->group_lag_ns;

		throttled_ns = up_to(throttling.ns, t->group_throttled_ns);
		if (throttled_ns) {
			unsure_ns = lost_ns < 0 ? -lost_ns : lost_ns;
			if (lost_ns < 0)
				throttled_ns = up_to(throttled_ns, unsure_ns);
		}
		if (throttled_ns > now - t->since_ns)
			throttled_ns = now - t->since_ns;
		if (unsure_ns > now - t->since_ns - throttled_ns)
			unsure_ns = now - t->since_ns - throttled_ns;
	}
	t->event.throttled_ns += throttled_ns;
	t->event.throttled_woken_ns += throttled_ns;
	if (unsure_ns)
		charge(t, TENANT_UNKNOWN, unsure_ns, now);
	walk.from_ns = t->since_ns + throttled_ns + unsure_ns;
	if (walk.from_ns >= now)
		return;
	bpf_loop(CPU_LOG_ENTRIES, walk_back, &walk, 0);
	if (walk.to_ns > walk.from_ns) {
		count(SCHED_LONG_WAITS);
		charge(t, TENANT_UNKNOWN, walk.to_ns - walk.from_ns, now);
	}
}

/* --- Threads -------------------------------------------------------------------------------- */

static __always_inline struct thread *thread_of(struct task_struct *task)
{
	struct thread *t;

	/* Nearly all threads are told apart by this alone, without a call. */
	if (!task->bpf_storage)
		return NULL;
	t = bpf_task_storage_get(&threads, task, NULL, 0);
	return t && t->ready ? t : NULL;
}

/* Gives a thread an account, or a new tenant to one that has. */
static __always_inline struct thread *watch(struct task_struct *task, __u64 cgroup_id,
					    __u32 tenant)
{
	struct thread *t =
		bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!t) {
		count(SCHED_THREADS_REFUSED);
		return NULL;
	}
	t->event.cgroup_id = cgroup_id;
	t->tenant = tenant;
	/* Waits are told of the tenant in whose row they are. */
	if (t->event.wait_count == 0)
		t->event.tenant = tenant;
	if (!t->ready) {
		t->event.kind = EVENT_ACCOUNT;
		t->event.tid = task->pid;
		t->event.from_ns = bpf_ktime_get_ns();
		t->told_ns = t->event.from_ns;
		barrier();
		*(volatile __u32 *)&t->ready = 1;
	}
	return t;
}

static __always_inline void switched_out(struct task_struct *task, struct thread *t, bool preempted,
					 __u32 cpu, struct cpu_log *log, __u64 now)
{
	__u64 state = state_of(task);

	tell_written(t);
	settle_cpu(t, now);
	if (preempted || state == 0) {
		/*
		 * What it did may have been for one that answers before it gets its CPU again. Little
		 * is kept for a pickup that comes soon after waking up, with the waits before it.
		 */
		if (t->event.cpu_ns >= TELL_EVERY_NS)
			tell(t, ACCOUNT_PERIOD, 0, 0, now);
		begin_wait(t, task, cpu, log, now);
		return;
	}
	t->state = THREAD_SLEEPING;
	if (state & TASK_DEAD)
		tell(t, ACCOUNT_EXIT, 0, 0, now);
	else if (has_news(t) && now - t->told_ns >= TELL_EVERY_NS)
		tell(t, ACCOUNT_PERIOD, 0, 0, now);
}

static __always_inline void switched_in(struct task_struct *task, struct thread *t,
					struct cpu_log *log, __u64 now)
{
	struct cpu_log *other;

	if (t->state == THREAD_WAITING) {
		other = t->cpu == bpf_get_smp_processor_id() ? log : log_of(t->cpu);
		if (other)
			end_wait(t, task, other, now);
	} else if (t->state == THREAD_SLEEPING && now > t->since_ns) {
		t->event.blocked_ns += now - t->since_ns;
	}
	t->state = THREAD_RUNNING;
	t->since_ns = now;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct thread *out = thread_of(prev);
	struct thread *in = thread_of(next);
	struct cpu_log *log = log_of(cpu);
	__u64 occupant = occupant_of(next);
	__u64 now = 0;
	__u32 watched;

	if (!log)
		return 0;
	/* In steps, or clang makes one test of two pointers, which the verifier refuses. */
	watched = log->waiting;
	if (out)
		watched = 1;
	barrier_var(watched);
	if (in)
		watched = 1;
	if (watched) {
		now = bpf_ktime_get_ns();
		if (in)
			switched_in(next, in, log, now);
		if (out)
			switched_out(prev, out, preempt, cpu, log, now);
		if (log->waiting) {
			if (log->entries[log->head & (CPU_LOG_ENTRIES - 1)].cgroup_id == occupant)
				return 0;
			log->head++;
		} else {
			now = 0;
		}
	}
	log->entries[log->head & (CPU_LOG_ENTRIES - 1)].cgroup_id = occupant;
	log->entries[log->head & (CPU_LOG_ENTRIES - 1)].start_ns = now;
	return 0;
}

/*
 * What a thread did before it woke up another one of its process may have been for a request of
 * that one: it has to be told before that one answers.
 */
static __always_inline void tell_help(struct task_struct *waker)
{
	struct thread *t = thread_of(waker);
	__u64 now;

	if (!t || t->busy || t->state != THREAD_RUNNING)
		return;
	now = bpf_ktime_get_ns();
	tell_written(t);
	settle_cpu(t, now);
	if (has_news(t))
		tell(t, ACCOUNT_PERIOD, 0, 0, now);
}

static __always_inline void woken(struct task_struct *task)
{
	struct thread *t = thread_of(task);
	struct cpu_log *log;
	__u32 cpu;
	__u64 now;

	/* It had not gone to sleep yet, or waits already. */
	if (!t || t->state == THREAD_RUNNING || t->state == THREAD_WAITING)
		return;
	cpu = cpu_of(task);
	log = log_of(cpu);
	if (!log)
		return;
	now = bpf_ktime_get_ns();
	if (t->state == THREAD_SLEEPING && now > t->since_ns)
		t->event.blocked_ns += now - t->since_ns;
	t->event.woken_ns = now;
	t->event.throttled_woken_ns = 0;
	for (__u32 i = 0; i < ACCOUNT_WAITS; i++) {
		if (i >= t->event.wait_count)
			break;
		t->event.waits[i].woken_ns = 0;
	}
	begin_wait(t, task, cpu, log, now);
}

/*
 * In who wakes the thread up; sched_wakeup may be in an interrupt on the thread's own CPU. If this
 * is in an interrupt, we take whom it interrupted for the waker, and know less than we could.
 */
SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
	struct thread *t = thread_of(task);
	struct task_struct *waker;

	if (!t || t->state != THREAD_SLEEPING)
		return 0;
	waker = bpf_get_current_task_btf();
	if (waker->tgid != task->tgid)
		return 0;
	t->event.helped = 1;
	tell_help(waker);
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *task)
{
	woken(task);
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_wakeup_new, struct task_struct *task)
{
	woken(task);
	return 0;
}

/* A thread that waits is pulled to another CPU; its old run queue is locked. */
SEC("tp_btf/sched_migrate_task")
int BPF_PROG(on_migrate, struct task_struct *task, int to)
{
	struct thread *t = thread_of(task);
	struct cpu_log *from_log;
	struct cpu_log *to_log;
	__u64 now;

	if (!t || t->state != THREAD_WAITING)
		return 0;
	from_log = log_of(t->cpu);
	to_log = log_of(to);
	if (!from_log || !to_log)
		return 0;
	now = bpf_ktime_get_ns();
	end_wait(t, task, from_log, now);
	begin_wait(t, task, to, to_log, now);
	/* The new run queue of its group is not its own yet. */
	t->group = 0;
	return 0;
}

/* In the parent, before the child runs. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u64 cgroup_id = cgroup_of(child);
	struct tenant_entry *entry = bpf_map_lookup_elem(&tenants, &cgroup_id);

	if (entry && entry->watched)
		watch(child, cgroup_id, entry->tenant);
	return 0;
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(on_attach, struct cgroup *to, const char *path, struct task_struct *task,
	     bool whole_process)
{
	__u64 cgroup_id = to->kn->id;
	struct tenant_entry *entry;

	if (to->root->hierarchy_id != 0)
		return 0;
	entry = bpf_map_lookup_elem(&tenants, &cgroup_id);
	if (entry && (entry->watched || thread_of(task)))
		watch(task, cgroup_id, entry->tenant);
	return 0;
}

/* Threads that were there before their cgroup was watched. */
SEC("iter/task")
int adopt(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct tenant_entry *entry;
	__u64 cgroup_id;

	if (!task)
		return 0;
	cgroup_id = cgroup_of(task);
	entry = bpf_map_lookup_elem(&tenants, &cgroup_id);
	if (entry && (entry->watched || thread_of(task)))
		watch(task, cgroup_id, entry->tenant);
	return 0;
}

/* --- Sockets -------------------------------------------------------------------------------- */

/* The cookie of a socket if the HTTP probe follows it on the side of the server; else 0. */
static __always_inline __u64 followed_cookie(struct sock *sk)
{
	struct followed *followed = bpf_sk_storage_get(&connections, sk, NULL, 0);
	struct followed_transcript *transcript;

	if (followed)
		return followed->event.role == HTTP_ROLE_SERVER ? followed->event.cookie : 0;
	transcript = bpf_sk_storage_get(&transcripts, sk, NULL, 0);
	return transcript && transcript->role == HTTP_ROLE_SERVER ? transcript->cookie : 0;
}

/*
 * Whether who reads from the socket is put to sleep until there is something. Threads that do so
 * serve one connection at a time; those that must not sleep serve many in turns.
 */
static __always_inline bool is_blocking(const struct sock *sk, const struct task_struct *task)
{
	const struct socket *socket = sk->sk_socket;
	const struct file *file = socket ? socket->file : NULL;

	if (!file || (file->f_flags & O_NONBLOCK))
		return false;
	return !bpf_core_field_exists(task->io_uring) || !task->io_uring;
}

/*
 * The thread that runs this has written `length` bytes to a socket that is no server's. If it is
 * serving, and these bytes begin with the head of a call, it tells so. A head that goes out in
 * several writes begins with the first, and one that waits to be sent (corked, or for the peer's
 * window) has not been seen yet, and is not told of.
 */
static __always_inline void tell_call(struct sock *sk, struct thread *t, __u32 length)
{
	struct followed *followed = bpf_sk_storage_get(&connections, sk, NULL, 0);
	struct tcp_sock *tcp;
	__u32 head_seq;
	__u64 now;

	if (!followed || followed->event.role != HTTP_ROLE_CLIENT)
		return;
	tcp = bpf_skc_to_tcp_sock(sk);
	head_seq = followed->event.head_seq;
	if (!tcp || tcp->write_seq - length != head_seq)
		return;
	t->busy = 1;
	barrier();
	tell_written(t);
	now = bpf_ktime_get_ns();
	settle_cpu(t, now);
	tell(t, ACCOUNT_CALL, followed->event.cookie, head_seq, now);
	barrier();
	t->busy = 0;
}

/* The thread that runs this has read from the socket. */
SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(on_read, struct sock *sk)
{
	struct task_struct *task;
	struct tcp_sock *tcp;
	struct stream *stream;
	struct thread *t;
	__u64 cookie;
	__u64 now;

	if (!sk->sk_bpf_storage)
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return 0;
	stream = bpf_sk_storage_get(&streams, sk, NULL, 0);
	/*
	 * The rest of a request that is under way. If something was written since, it is the next
	 * one, though the thread that wrote may still be on its way to on_write.
	 */
	if (stream && stream->phase == STREAM_PICKED_UP && stream->written_seq == tcp->write_seq)
		return 0;
	cookie = followed_cookie(sk);
	if (!cookie) {
		if (stream)
			bpf_sk_storage_delete(&streams, sk);
		return 0;
	}
	if (!stream) {
		stream = bpf_sk_storage_get(&streams, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (!stream) {
			count(SCHED_STREAMS_REFUSED);
			return 0;
		}
		stream->cookie = cookie;
	}
	stream->phase = STREAM_PICKED_UP;
	stream->written_seq = tcp->write_seq;
	stream->request++;
	task = bpf_get_current_task_btf();
	t = thread_of(task);
	if (!t) {
		__u64 cgroup_id = cgroup_of(task);
		__u32 tenant = tenant_of(cgroup_id);

		t = watch(task, cgroup_id, tenant);
		if (!t)
			return 0;
	}
	t->busy = 1;
	barrier();
	tell_written(t);
	now = bpf_ktime_get_ns();
	settle_cpu(t, now);
	t->serves = is_blocking(sk, task);
	t->event.blocking = t->serves;
	tell(t, ACCOUNT_PICKUP, stream->cookie, stream->request, now);
	t->event.blocking = 0;
	barrier();
	t->busy = 0;
	return 0;
}

/* The thread that runs this has written to the socket. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(on_write, struct sock *sk, int result)
{
	struct tcp_sock *tcp;
	struct stream *stream;
	struct thread *t;
	__u32 request;
	__u64 now;

	if (result <= 0 || !sk->sk_bpf_storage)
		return 0;
	t = thread_of(bpf_get_current_task_btf());
	if (!t)
		return 0;
	stream = bpf_sk_storage_get(&streams, sk, NULL, 0);
	if (!stream) {
		if (t->serves)
			tell_call(sk, t, result);
		return 0;
	}
	if (stream->phase == STREAM_NEW)
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return 0;
	request = stream->request;
	/* Nothing was written since the last pickup: the client was quicker than this thread. */
	if (stream->written_seq == tcp->write_seq)
		request--;
	t->busy = 1;
	barrier();
	now = bpf_ktime_get_ns();
	if (t->written && (t->written_cookie != stream->cookie || t->written_request != request))
		tell_written(t);
	settle_cpu(t, now);
	t->serves = 0;
	if (stream->phase == STREAM_PICKED_UP) {
		if (request == stream->request)
			stream->phase = STREAM_ANSWERED;
		tell_written(t);
		tell(t, ACCOUNT_ANSWER, stream->cookie, request, now);
	} else {
		t->written = 1;
		t->written_cookie = stream->cookie;
		t->written_request = request;
		t->written_ns = now;
	}
	barrier();
	t->busy = 0;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
