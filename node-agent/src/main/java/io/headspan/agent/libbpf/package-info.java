/// libbpf through the Foreign Function & Memory API: the only native calls of the agent.
///
/// Starting points: [io.headspan.agent.libbpf.BpfObject] opens and loads a compiled object,
/// [io.headspan.agent.libbpf.BpfProgram] attaches, [io.headspan.agent.libbpf.BpfMap] and
/// [io.headspan.agent.libbpf.RingBuffer] read what the programs write, and
/// [io.headspan.agent.libbpf.BpfSupport] says what this machine lacks.
@NullMarked
package io.headspan.agent.libbpf;

import org.jspecify.annotations.NullMarked;
