/// libbpf through the Foreign Function & Memory API: the only native calls of the agent.
///
/// Starting points: [io.headspan.agent.libbpf.BpfObject] opens and loads a compiled object,
/// [io.headspan.agent.libbpf.BpfProgram] attaches, [io.headspan.agent.libbpf.BpfMap] and
/// [io.headspan.agent.libbpf.RingBuffer] read what the programs write, and
/// [io.headspan.agent.libbpf.BpfSupport] says what this machine lacks.
///
/// ```java
/// try (BpfObject object = BpfObject.open("http", elf)) {
///   object.setGlobal("ring_wakeup_bytes", ringBytes / 4); // before load: constants,
///   object.map("ring").setMaxEntries(ringBytes);          // sizes,
///   object.program("on_pickup").setAutoload(false);       // and what to leave out
///   object.load();
///   object.program("on_ingress").attachCgroup(BpfSupport.cgroup2Mount().orElseThrow());
///   try (RingBuffer ring = RingBuffer.open(object.map("ring"))) {
///     while (running) {
///       ring.drain(this::decode, MAX_BATCH);
///       ring.awaitWakeup(beatMillis);
///     }
///   }
/// }
/// ```
///
/// # Ownership
///
/// Who opens closes, in reverse: ring, links, object. An object detaches the links that are left.
/// Nothing is pinned, so a process that dies takes all of its BPF along.
///
/// # Threads
///
/// Opening, configuring, attaching and closing are one thread's work at a time; one thread at a
/// time drains a ring; maps may be read and written by any thread. The arenas are shared ones, not
/// confined, because the thread that ends the agent is seldom the one that started it; a use after
/// close is an `IllegalStateException`.
///
/// # Errors
///
/// [io.headspan.agent.libbpf.LibbpfException], whose kind says what to do: `NOT_SUPPORTED` means to
/// go on without the feature. Its message holds what libbpf and the verifier printed. Anything that
/// is the caller's mistake is an `IllegalArgumentException` or `IllegalStateException`.
///
/// # Inside
///
/// All downcalls are in `Libbpf`, one method each; adding one means one handle and one method
/// there. `RingLayout` is the only place that knows how a ring lies in memory, and `RingReader`
/// reads it without a call, so that a test or a benchmark can give it plain memory.
@NullMarked
package io.headspan.agent.libbpf;

import org.jspecify.annotations.NullMarked;
