/// What the probes of the packages below have in common. Each of those loads one BPF object of the
/// ebpf-probes module, attaches it, and turns its records into objects.
@NullMarked
package io.headspan.agent.probe;

import org.jspecify.annotations.NullMarked;
