package io.headspan.agent.probe.http;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.headspan.agent.libbpf.BpfIterator;
import io.headspan.agent.libbpf.BpfLink;
import io.headspan.agent.libbpf.BpfMap;
import io.headspan.agent.libbpf.BpfObject;
import io.headspan.agent.libbpf.LibbpfException;
import io.headspan.agent.probe.ProbeObject;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashSet;
import java.util.Set;

/// Counts the accepted connections that were there before the HTTP probe, and so are not followed.
/// Needs Linux 5.11.
final class OlderConnections {
  private static final String OBJECT = "older";
  private static final int BUFFER_RECORDS = 512;

  private OlderConnections() {}

  /// @param connections those that the probe follows
  /// @param transcripts the same, read from their bytes
  /// @throws LibbpfException if the kernel cannot be asked
  static int count(BpfMap connections, BpfMap transcripts) {
    try (BpfObject object = ProbeObject.open(OBJECT);
        Arena arena = Arena.ofConfined()) {
      object.map("connections").reuse(connections);
      object.map("transcripts").reuse(transcripts);
      object.load();
      try (BpfLink link = object.program("find_listening").attachIterator();
          BpfIterator files = link.iterate()) {
        files.run();
      }
      // A socket that several processes have open is told for each of them.
      Set<Long> inodes = new HashSet<>();
      MemorySegment buffer = arena.allocate(JAVA_LONG, BUFFER_RECORDS);
      try (BpfLink link = object.program("find_older").attachIterator();
          BpfIterator files = link.iterate()) {
        for (int bytes = files.read(buffer); bytes > 0; bytes = files.read(buffer)) {
          for (int at = 0; at + Long.BYTES <= bytes; at += Long.BYTES) {
            inodes.add(buffer.get(JAVA_LONG, at));
          }
        }
      }
      return inodes.size();
    }
  }
}
