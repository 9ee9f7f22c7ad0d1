package io.headspan.agent.probe.http;

import io.headspan.agent.probe.http.TranscribedConnection.Unreadable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/// Puts the raw bytes of one direction of a transcript in order. They come as their packets did:
/// too early ones wait here, in bounded number and for a bounded time; repeated ones are dropped.
final class OrderedBytes {
  /// How long bytes are waited for: TCP has repeated them by then, or given up.
  static final long PATIENCE_NS = Http2Frames.PATIENCE_NS;

  private static final int WAITING_BYTES_MAX = 1 << 20;

  private final Reader reader;
  private final List<HttpEvent.Bytes> waiting = new ArrayList<>();
  private int waitingBytes;

  /// Sequence number of the next byte to be read.
  private int position;

  /// Behind the last byte that came.
  private int seen;

  /// Takes bytes in order.
  interface Reader {
    /// Reads on.
    ///
    /// @param at index of the first byte to be read
    /// @return how many bytes are read or need not be; more than there are if what follows is of no
    ///   interest either; at least 1
    /// @throws Unreadable if the connection cannot be read further
    long read(HttpEvent.Bytes bytes, int at, int sequence) throws Unreadable;
  }

  /// @param sequence of the first byte
  OrderedBytes(int sequence, Reader reader) {
    position = sequence;
    seen = sequence;
    this.reader = reader;
  }

  /// @throws Unreadable if the connection cannot be read further
  void accept(HttpEvent.Bytes bytes) throws Unreadable {
    int end = bytes.sequence() + bytes.bytes().length;
    if (end - seen > 0) {
      seen = end;
    }
    if (bytes.sequence() - position > 0) {
      waiting.add(bytes);
      waitingBytes += bytes.bytes().length;
      if (waitingBytes > WAITING_BYTES_MAX) {
        throw new Unreadable(HttpCounter.PIPELINE_BYTES_MISSING);
      }
      return;
    }
    read(bytes);
    while (!waiting.isEmpty() && readWaiting()) {
      // What came may be followed by something that already waited.
    }
  }

  /// @throws Unreadable if bytes are missing for too long
  void checkPatience(long nowNs) throws Unreadable {
    if (!waiting.isEmpty() && nowNs - waiting.getFirst().timeNs() > PATIENCE_NS) {
      throw new Unreadable(HttpCounter.PIPELINE_BYTES_MISSING);
    }
  }

  /// Whether bytes came whose predecessors have not.
  boolean isWaiting() {
    return !waiting.isEmpty();
  }

  /// Whether the next byte to be read is behind all that came, because those between need not be.
  boolean skips() {
    return position - seen > 0;
  }

  /// Sequence number of the next byte to be read; nothing before it is of interest.
  int position() {
    return position;
  }

  private boolean readWaiting() throws Unreadable {
    for (Iterator<HttpEvent.Bytes> it = waiting.iterator(); it.hasNext(); ) {
      HttpEvent.Bytes bytes = it.next();
      if (bytes.sequence() - position <= 0) {
        it.remove();
        waitingBytes -= bytes.bytes().length;
        read(bytes);
        return true;
      }
    }
    return false;
  }

  private void read(HttpEvent.Bytes bytes) throws Unreadable {
    int at = position - bytes.sequence();
    while (at < bytes.bytes().length) {
      position += (int) reader.read(bytes, at, position);
      at = position - bytes.sequence();
    }
  }
}
