package io.headspan.agent.probe.http;

import io.headspan.agent.probe.http.HttpEvent.Direction;
import io.headspan.agent.probe.http.TranscribedConnection.Unreadable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Cuts one direction of an HTTP/2 connection into frames (RFC 9113, section 4), from the records
/// of its transcript. Those come in the order of the bytes as a rule; raw ones come as their
/// packets did, so what is too early waits here, in bounded number and for a bounded time.
///
/// A frame is handed on when its last byte is there. Of DATA there is no payload: it is handed on
/// at its header, and its end, if it ends a stream, when so many bytes have passed.
final class Http2Frames {
  /// How long bytes are waited for: TCP has repeated them by then, or given up.
  static final long PATIENCE_NS = 30_000_000_000L;

  static final int DATA = 0;
  static final int HEADERS = 1;
  static final int RST_STREAM = 3;
  static final int PUSH_PROMISE = 5;
  static final int GOAWAY = 7;
  static final int CONTINUATION = 9;

  static final int FLAG_END_STREAM = 0x1;
  static final int FLAG_END_HEADERS = 0x4;
  static final int FLAG_PADDED = 0x8;
  static final int FLAG_PRIORITY = 0x20;

  private static final int HEADER_BYTES = 9;

  /// More than any frame whose payload is of interest may have. Peers announce 16 KiB as a rule.
  private static final int PAYLOAD_MAX = 1 << 18;

  private static final int WAITING_BYTES_MAX = 1 << 20;
  private static final byte[] NOTHING = {};
  private static final byte[] PREFACE =
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII);

  private final Direction direction;
  private final Receiver receiver;
  private final List<HttpEvent.Bytes> waiting = new ArrayList<>();
  private int waitingBytes;

  /// Sequence number of the next byte that matters.
  private int position;

  private int prefaceLeft;
  private final byte[] header = new byte[HEADER_BYTES];
  private int headerLength;
  private byte[] payload = NOTHING;
  private int payloadLength;

  /// Bytes of the current frame's payload to come; -1 between frames.
  private int payloadLeft = -1;

  private int frameSequence;
  private long frameNs;
  private int frameOpen;
  private final List<DataEnd> dataEnds = new ArrayList<>();
  private boolean raw;

  /// Takes frames.
  interface Receiver {
    /// Takes a frame.
    ///
    /// @param payload null for DATA
    /// @param sequence of the frame's first byte
    /// @param beginNs when that passed
    /// @param endNs when its last byte passed; of DATA, its header
    /// @param openAtHead as in [HttpEvent.Bytes]
    /// @throws Unreadable if the connection cannot be read further
    void onFrame(
        Direction direction,
        int type,
        int flags,
        int stream,
        byte @Nullable [] payload,
        int sequence,
        long beginNs,
        long endNs,
        int openAtHead)
        throws Unreadable;

    /// The last byte of a DATA frame that ends its stream passed.
    void onDataEnd(Direction direction, int stream, long timeNs);
  }

  private record DataEnd(int sequence, int stream) {}

  /// @param sequence of the first byte
  Http2Frames(Direction direction, int sequence, Receiver receiver) {
    this.direction = direction;
    this.receiver = receiver;
    position = sequence;
    prefaceLeft = direction == Direction.FROM_CLIENT ? PREFACE.length : 0;
  }

  /// Takes a record of this direction.
  ///
  /// @throws Unreadable if the connection cannot be read further
  void accept(HttpEvent.Bytes bytes) throws Unreadable {
    raw = bytes.raw();
    if (!take(bytes)) {
      waiting.add(bytes);
      waitingBytes += bytes.bytes().length;
      if (waitingBytes > WAITING_BYTES_MAX) {
        throw new Unreadable(HttpCounter.HTTP2_BYTES_MISSING);
      }
      return;
    }
    while (!waiting.isEmpty() && takeWaiting()) {
      // What came may be followed by something that already waited.
    }
  }

  /// @throws Unreadable if bytes are missing for too long
  void checkPatience(long nowNs) throws Unreadable {
    if (!waiting.isEmpty() && nowNs - waiting.getFirst().timeNs() > PATIENCE_NS) {
      throw new Unreadable(HttpCounter.HTTP2_BYTES_MISSING);
    }
  }

  /// Whether the kernel has lost track of the frames and could find it again at [#position].
  boolean canResume() {
    return raw
        && waiting.isEmpty()
        && headerLength == 0
        && payloadLeft < 0
        && prefaceLeft == 0
        && dataEnds.isEmpty();
  }

  /// Whether bytes came whose predecessors have not.
  boolean isWaiting() {
    return !waiting.isEmpty();
  }

  /// Whether the kernel hands on everything of this direction.
  boolean isRaw() {
    return raw || !waiting.isEmpty();
  }

  /// Sequence number of the next byte that matters; between frames, of the next one's first byte.
  int position() {
    return position;
  }

  private boolean takeWaiting() throws Unreadable {
    for (Iterator<HttpEvent.Bytes> it = waiting.iterator(); it.hasNext(); ) {
      HttpEvent.Bytes bytes = it.next();
      if (take(bytes)) {
        it.remove();
        waitingBytes -= bytes.bytes().length;
        return true;
      }
    }
    return false;
  }

  /// False if bytes before it are missing.
  private boolean take(HttpEvent.Bytes bytes) throws Unreadable {
    if (bytes.raw()) {
      if (bytes.sequence() - position > 0) {
        return false;
      }
      readRaw(bytes);
    } else {
      if (bytes.fromSequence() - position > 0) {
        return false;
      }
      if (bytes.sequence() - position >= 0) {
        boolean between = payloadLeft < 0 && headerLength == 0;
        if (bytes.sequence() != position && !between) {
          throw new Unreadable(HttpCounter.HTTP2_BYTES_MISSING);
        }
        position = bytes.sequence();
        readKept(bytes);
      }
      // Else these bytes were in raw records, too.
    }
    endData(bytes.untilSequence(), bytes.timeNs());
    return true;
  }

  private void readRaw(HttpEvent.Bytes bytes) throws Unreadable {
    int length = bytes.bytes().length;
    int at = position - bytes.sequence();
    while (at >= 0 && at < length) {
      read(bytes, at);
      at = position - bytes.sequence();
    }
  }

  private void readKept(HttpEvent.Bytes bytes) throws Unreadable {
    int at = 0;
    while (at < bytes.bytes().length) {
      at += read(bytes, at);
    }
  }

  /// Goes one step on from index `at`; returns how many bytes of the record it took. The position
  /// moves by the payload of DATA, too.
  private int read(HttpEvent.Bytes bytes, int at) throws Unreadable {
    byte[] from = bytes.bytes();
    int left = from.length - at;
    if (prefaceLeft > 0) {
      int length = Math.min(prefaceLeft, left);
      int done = PREFACE.length - prefaceLeft;
      if (!Arrays.equals(from, at, at + length, PREFACE, done, done + length)) {
        throw new Unreadable(HttpCounter.HTTP2_MALFORMED);
      }
      prefaceLeft -= length;
      position += length;
      return length;
    }
    if (payloadLeft < 0) {
      if (headerLength == 0) {
        frameSequence = position;
        frameNs = bytes.timeNs();
        frameOpen = bytes.openAtHead();
      }
      int length = Math.min(HEADER_BYTES - headerLength, left);
      System.arraycopy(from, at, header, headerLength, length);
      headerLength += length;
      position += length;
      if (headerLength == HEADER_BYTES) {
        beginFrame(bytes.timeNs());
      }
      return length;
    }
    int length = Math.min(payloadLeft, left);
    if (isOfInterest(type())) {
      if (payload.length < payloadLength + payloadLeft) {
        payload = Arrays.copyOf(payload, payloadLength + payloadLeft);
      }
      System.arraycopy(from, at, payload, payloadLength, length);
      payloadLength += length;
    }
    payloadLeft -= length;
    position += length;
    if (payloadLeft == 0) {
      endFrame(bytes.timeNs());
    }
    return length;
  }

  private void beginFrame(long nowNs) throws Unreadable {
    int length = ((header[0] & 0xff) << 16) | ((header[1] & 0xff) << 8) | (header[2] & 0xff);
    if (type() == DATA) {
      headerLength = 0;
      position += length;
      int stream = stream();
      receiver.onFrame(
          direction, DATA, flags(), stream, null, frameSequence, frameNs, nowNs, frameOpen);
      if ((flags() & FLAG_END_STREAM) != 0) {
        dataEnds.add(new DataEnd(position, stream));
      }
      return;
    }
    if (length > PAYLOAD_MAX && isOfInterest(type())) {
      throw new Unreadable(HttpCounter.HTTP2_MALFORMED);
    }
    payloadLeft = length;
    if (length == 0) {
      endFrame(nowNs);
    }
  }

  private void endFrame(long nowNs) throws Unreadable {
    byte[] whole = Arrays.copyOf(payload, payloadLength);
    payloadLeft = -1;
    payloadLength = 0;
    headerLength = 0;
    if (payload.length > PAYLOAD_MAX / 16) {
      payload = NOTHING;
    }
    if (isOfInterest(type())) {
      receiver.onFrame(
          direction, type(), flags(), stream(), whole, frameSequence, frameNs, nowNs, frameOpen);
    }
  }

  private void endData(int untilSequence, long nowNs) {
    for (Iterator<DataEnd> it = dataEnds.iterator(); it.hasNext(); ) {
      DataEnd end = it.next();
      if (untilSequence - end.sequence() < 0) {
        return;
      }
      it.remove();
      receiver.onDataEnd(direction, end.stream(), nowNs);
    }
  }

  private int type() {
    return header[3] & 0xff;
  }

  private int flags() {
    return header[4] & 0xff;
  }

  private int stream() {
    return ((header[5] & 0x7f) << 24)
        | ((header[6] & 0xff) << 16)
        | ((header[7] & 0xff) << 8)
        | (header[8] & 0xff);
  }

  private static boolean isOfInterest(int type) {
    return switch (type) {
      case HEADERS, RST_STREAM, PUSH_PROMISE, GOAWAY, CONTINUATION -> true;
      default -> false;
    };
  }
}
