package io.headspan.agent.probe;

import io.headspan.agent.libbpf.BpfObject;
import io.headspan.agent.libbpf.RingBuffer;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/// Opens the BPF objects that the ebpf-probes module puts on the class path.
public final class ProbeObject {
  /// The ring that objects with records have.
  private static final String RING = "ring";

  /// Programs wake the reader when this part of the ring is full.
  private static final int WAKEUP_FRACTION = 4;

  private ProbeObject() {}

  /// Opens `name.bpf.o`; the caller loads and closes it.
  ///
  /// @param ringSizeBytes a power of two, at least a page
  /// @throws io.headspan.agent.libbpf.LibbpfException if libbpf cannot be called
  public static BpfObject open(String name, int ringSizeBytes) {
    BpfObject object = open(name);
    try {
      object.map(RING).setMaxEntries(ringSizeBytes);
      object.setGlobal("ring_wakeup_bytes", ringSizeBytes / WAKEUP_FRACTION);
      return object;
    } catch (RuntimeException | Error failure) {
      object.close();
      throw failure;
    }
  }

  /// Opens `name.bpf.o` as it was built; the caller loads and closes it.
  ///
  /// @throws io.headspan.agent.libbpf.LibbpfException if libbpf cannot be called
  public static BpfObject open(String name) {
    return BpfObject.open(name.replace('-', '_'), read(name));
  }

  /// Has the kernel check the programs of `name.bpf.o`; attaches none.
  ///
  /// @throws io.headspan.agent.libbpf.LibbpfException if it refuses them
  public static void check(String name) {
    try (BpfObject object = open(name)) {
      object.load();
    }
  }

  private static String resource(String name) {
    return "/io/headspan/probes/" + name + ".bpf.o";
  }

  /// The ring of a loaded object; the caller closes it before the object.
  public static RingBuffer ring(BpfObject object) {
    return RingBuffer.open(object.map(RING));
  }

  private static byte[] read(String name) {
    String resource = resource(name);
    try (InputStream stream = ProbeObject.class.getResourceAsStream(resource)) {
      if (stream == null) {
        throw new IllegalStateException(
            "BPF object missing: resource=" + resource + "; build the ebpf-probes module");
      }
      return stream.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException("BPF object unreadable: resource=" + resource, e);
    }
  }
}
