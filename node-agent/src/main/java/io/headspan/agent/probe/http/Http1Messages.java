package io.headspan.agent.probe.http;

import io.headspan.agent.probe.http.HttpEvent.Direction;
import io.headspan.agent.probe.http.TranscribedConnection.Unreadable;
import java.util.Arrays;

/// Cuts one direction of an HTTP/1.1 connection into messages (RFC 9112), from its bytes in order.
/// Of bodies it looks at nothing but where they end.
final class Http1Messages implements OrderedBytes.Reader {
  /// Longer heads make the connection unreadable; servers refuse far shorter ones.
  static final int HEAD_BYTES_MAX = 1 << 16;

  /// What of a body is still to come when it is worth telling the kernel not to hand it on.
  private static final int WORTH_SKIPPING_BYTES = 1 << 15;

  /// Sequence numbers tell no more apart.
  private static final int SKIP_BYTES_MAX = 1 << 30;

  private static final int FIRST_BUFFER_BYTES = 512;
  private static final int SIZE_DIGITS_MAX = 7;

  private final Direction direction;
  private final Receiver receiver;
  private State state = State.HEAD;
  private byte[] head = new byte[FIRST_BUFFER_BYTES];
  private int headLength;
  private int lineLength;
  private int headSequence;
  private long headNs;
  private int headOpen;

  /// Bytes of the message so far.
  private long length;

  /// Bytes of the body or the chunk to come.
  private long left;

  private int sizeDigits;
  private boolean sizeEnded;

  private enum State {
    HEAD,
    BODY,
    CHUNK_SIZE,
    CHUNK,
    CHUNK_END,
    TRAILERS,
    UP_TO_THE_END
  }

  /// Says how long a body is.
  ///
  /// @param bytes of it, if it has a known length; [#CHUNKED]; [#UP_TO_THE_END]
  record Body(long bytes) {
    static final Body NONE = new Body(0);
    static final Body CHUNKED = new Body(-1);
    static final Body UP_TO_THE_END = new Body(-2);
  }

  /// A message's head.
  ///
  /// @param bytes up to and with the empty line
  /// @param sequence of its first byte
  /// @param timeNs when that passed
  /// @param openAtHead as in [HttpEvent.Bytes]
  record Head(byte[] bytes, MessageFraming framing, int sequence, long timeNs, int openAtHead) {}

  /// Takes messages.
  interface Receiver {
    /// Takes a head and says what follows it.
    ///
    /// @throws Unreadable if the connection cannot be read further
    Body onHead(Direction direction, Head head) throws Unreadable;

    /// The last byte of a message passed.
    ///
    /// @param length of the message, from its first byte
    /// @throws Unreadable if the connection cannot be read further
    void onEnd(Direction direction, long length, long timeNs) throws Unreadable;
  }

  Http1Messages(Direction direction, Receiver receiver) {
    this.direction = direction;
    this.receiver = receiver;
  }

  /// Begins within a message: with the last part of a body of known length.
  ///
  /// @param lengthBefore bytes of the message that have passed
  void beginInBody(long lengthBefore, long left) {
    state = State.BODY;
    length = lengthBefore;
    this.left = left;
  }

  /// Whether only the end of the connection ends the message.
  boolean isUpToTheEnd() {
    return state == State.UP_TO_THE_END;
  }

  /// Bytes of the message that have passed so far.
  long length() {
    return length;
  }

  @Override
  public long read(HttpEvent.Bytes bytes, int at, int sequence) throws Unreadable {
    byte[] from = bytes.bytes();
    int there = from.length - at;
    switch (state) {
      case HEAD -> {
        readHead(bytes, from[at], sequence);
        return 1;
      }
      case BODY, CHUNK -> {
        return readBody(there, bytes.timeNs());
      }
      case CHUNK_SIZE -> readSize(from[at]);
      case CHUNK_END -> {
        if (from[at] == '\n') {
          beginChunk();
        } else if (from[at] != '\r') {
          throw new Unreadable(HttpCounter.PIPELINE_UNREADABLE);
        }
      }
      case TRAILERS -> {
        if (isLineEnd(from[at]) && endLine()) {
          length++;
          endMessage(bytes.timeNs());
          return 1;
        }
      }
      case UP_TO_THE_END -> {
        length += there;
        return there;
      }
    }
    length++;
    return 1;
  }

  private void readHead(HttpEvent.Bytes bytes, byte b, int sequence) throws Unreadable {
    if (headLength == 0) {
      if (b == '\r' || b == '\n') {
        return; // Does not count before a head (RFC 9112, section 2.2).
      }
      headSequence = sequence;
      headNs = bytes.timeNs();
      headOpen = bytes.openAtHead();
      lineLength = 0;
    }
    if (headLength == HEAD_BYTES_MAX) {
      throw new Unreadable(HttpCounter.PIPELINE_UNREADABLE);
    }
    if (headLength == head.length) {
      head = Arrays.copyOf(head, 2 * headLength);
    }
    head[headLength++] = b;
    if (!isLineEnd(b) || !endLine()) {
      return;
    }
    byte[] whole = Arrays.copyOf(head, headLength);
    length = headLength;
    headLength = 0;
    MessageFraming framing = MessageFraming.read(whole);
    if (!framing.isWhole() || !framing.valid()) {
      throw new Unreadable(HttpCounter.PIPELINE_UNREADABLE);
    }
    Body body =
        receiver.onHead(direction, new Head(whole, framing, headSequence, headNs, headOpen));
    if (body.equals(Body.CHUNKED)) {
      beginChunk();
    } else if (body.equals(Body.UP_TO_THE_END)) {
      state = State.UP_TO_THE_END;
    } else if (body.bytes() == 0) {
      endMessage(bytes.timeNs());
    } else {
      state = State.BODY;
      left = body.bytes();
    }
  }

  /// Counts the line's bytes; true if this one ends it.
  private boolean isLineEnd(byte b) {
    if (b == '\n') {
      return true;
    }
    if (b != '\r') {
      lineLength++;
    }
    return false;
  }

  /// True if the line that ends was empty.
  private boolean endLine() {
    boolean empty = lineLength == 0;
    lineLength = 0;
    return empty;
  }

  private long readBody(int there, long timeNs) throws Unreadable {
    long taken = Math.min(left, there);
    if (left - taken > WORTH_SKIPPING_BYTES) {
      // All but the last byte, which tells when the body ended.
      taken = Math.min(left - 1, SKIP_BYTES_MAX);
    }
    left -= taken;
    length += taken;
    if (left == 0 && state == State.BODY) {
      endMessage(timeNs);
    } else if (left == 0) {
      state = State.CHUNK_END;
    }
    return taken;
  }

  private void beginChunk() {
    state = State.CHUNK_SIZE;
    left = 0;
    sizeDigits = 0;
    sizeEnded = false;
  }

  private void readSize(byte b) throws Unreadable {
    int digit = Character.digit(b, 16);
    if (b == '\n') {
      if (sizeDigits == 0) {
        throw new Unreadable(HttpCounter.PIPELINE_UNREADABLE);
      }
      lineLength = 0;
      state = left == 0 ? State.TRAILERS : State.CHUNK;
    } else if (!sizeEnded && digit >= 0) {
      if (++sizeDigits > SIZE_DIGITS_MAX) {
        throw new Unreadable(HttpCounter.PIPELINE_UNREADABLE);
      }
      left = left * 16 + digit;
    } else {
      sizeEnded = true; // An extension, or blanks.
    }
  }

  private void endMessage(long timeNs) throws Unreadable {
    state = State.HEAD;
    receiver.onEnd(direction, length, timeNs);
  }
}
