package io.headspan.storage.embedded;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/// What a statement, or one chunk of a SELECT, gave: bytes in the library's memory, valid until
/// closed. For one thread.
final class EngineResult implements AutoCloseable {
  private final LibChdb library;
  private final MemorySegment handle;
  private final MemorySegment data;
  private boolean closed;

  /// @throws EngineException if the handle holds an error; it is destroyed then
  EngineResult(LibChdb library, MemorySegment handle) throws EngineException {
    this.library = library;
    this.handle = handle;
    @Nullable String error = library.error(handle);
    if (error != null) {
      library.destroyResult(handle);
      throw EngineException.of(error);
    }
    data = library.data(handle);
  }

  long length() {
    return data.byteSize();
  }

  /// Copies bytes out.
  byte[] copy(long offset, int length) {
    checkOpen();
    byte[] bytes = new byte[length];
    MemorySegment.copy(data, ValueLayout.JAVA_BYTE, offset, bytes, 0, length);
    return bytes;
  }

  byte byteAt(long offset) {
    checkOpen();
    return data.get(ValueLayout.JAVA_BYTE, offset);
  }

  /// Adds this result's counters.
  void addTo(StatementSummary summary) {
    checkOpen();
    summary.add(
        library.rowsRead(handle),
        library.bytesRead(handle),
        library.rowsWritten(handle),
        library.bytesWritten(handle),
        library.resultRows(handle),
        length());
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      library.destroyResult(handle);
    }
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("result of the engine is closed");
    }
  }
}
