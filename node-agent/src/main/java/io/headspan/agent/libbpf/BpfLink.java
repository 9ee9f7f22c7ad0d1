package io.headspan.agent.libbpf;

import java.lang.foreign.MemorySegment;

/// An attached program. Closing detaches it; so does closing its [BpfObject].
public final class BpfLink implements AutoCloseable {
  private final BpfObject object;
  private final String programName;
  private final MemorySegment link;
  private boolean closed;

  BpfLink(BpfObject object, String programName, MemorySegment link) {
    this.object = object;
    this.programName = programName;
    this.link = link;
  }

  /// The link's file descriptor, owned by the link.
  public int fd() {
    if (closed) {
      throw new IllegalStateException("the link is closed: program=" + programName);
    }
    return Libbpf.linkFd(link);
  }

  /// Starts a pass of an iterator's link. May be called again for the next pass.
  public BpfIterator iterate() {
    int fd = Libbpf.iteratorCreate(fd());
    if (fd < 0) {
      throw LibbpfException.failed("bpf_iter_create", "program=" + programName, -fd, "");
    }
    return new BpfIterator(programName, new FileDescriptor("iterator of " + programName, fd));
  }

  /// Does nothing the second time.
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    object.detached(this);
    int result = Libbpf.linkDestroy(link);
    if (result < 0) {
      throw LibbpfException.failed("bpf_link__destroy", "program=" + programName, -result, "");
    }
  }
}
