package io.headspan.wire;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Objects;

/// Reads the CBOR (RFC 8949) of a map or slice value, token by token. Strict: one container, maps
/// keyed by text, no tags, no integer outside 64 bits signed, valid UTF-8, at most [#MAX_DEPTH]
/// containers deep, nothing left over. Lengths may be definite or indefinite, floats of any width.
///
/// Anything else is a [WireException], whatever the bytes. Reads in place, allocates nothing per
/// token except for strings sent in chunks. Not thread-safe.
public final class CborReader {
  /// Deepest nesting that is read. Go's consumers stop at 32, protobuf's Java parser near 50.
  public static final int MAX_DEPTH = 64;

  /// What [#next()] found.
  public enum Token {
    MAP_BEGIN,
    ARRAY_BEGIN,
    /// End of the innermost open map or array.
    END,
    /// A text; in a map, the keys are the first, third, … token of their level.
    TEXT,
    BYTES,
    INT,
    DOUBLE,
    BOOL,
    NULL,
    /// The value is complete.
    DONE
  }

  private static final long INDEFINITE = -1;
  private static final int BREAK = 0xff;

  private byte[] source = {};
  private int position;
  private int limit;
  private int depth;
  private boolean started;

  /// By depth: items still to come (a map's keys and values both count), or [#INDEFINITE].
  private final long[] remaining = new long[MAX_DEPTH];

  private final boolean[] inMap = new boolean[MAX_DEPTH];
  private final boolean[] atKey = new boolean[MAX_DEPTH];

  private byte[] valueArray = {};
  private int valueOffset;
  private int valueLength;
  private long number;

  /// Starts on the `length` bytes of `bytes` from `offset`; they must not change while being read.
  public CborReader reset(byte[] bytes, int offset, int length) {
    Objects.checkFromIndexSize(offset, length, bytes.length);
    source = bytes;
    position = offset;
    limit = offset + length;
    depth = 0;
    started = false;
    return this;
  }

  /// Starts on the value that `id` names in `table`, which must not grow while it is being read.
  public CborReader reset(Utf8Table table, int id) {
    return reset(table.backing(), table.offset(id), table.length(id));
  }

  /// Moves to the next token.
  ///
  /// @throws WireException if the bytes are not CBOR as described
  public Token next() {
    if (depth == 0 && started) {
      if (position != limit) {
        throw bad("bytes after its end");
      }
      return Token.DONE;
    }
    if (depth > 0) {
      int level = depth - 1;
      if (remaining[level] == 0) {
        depth--;
        return Token.END;
      }
      if (remaining[level] == INDEFINITE && position < limit && peek() == BREAK) {
        if (inMap[level] && !atKey[level]) {
          throw bad("a key without a value");
        }
        position++;
        depth--;
        return Token.END;
      }
    }
    Token token = item();
    if (!started) {
      if (token != Token.MAP_BEGIN && token != Token.ARRAY_BEGIN) {
        throw bad("neither a map nor an array");
      }
      started = true;
    }
    return token;
  }

  /// The array that holds the text or bytes just found, at [#valueOffset()].
  public byte[] valueArray() {
    return valueArray;
  }

  public int valueOffset() {
    return valueOffset;
  }

  public int valueLength() {
    return valueLength;
  }

  /// The text just found.
  public String text() {
    return new String(valueArray, valueOffset, valueLength, StandardCharsets.UTF_8);
  }

  /// The integer just found.
  public long integer() {
    return number;
  }

  /// The double just found.
  public double real() {
    return Double.longBitsToDouble(number);
  }

  /// The truth value just found.
  public boolean bool() {
    return number != 0;
  }

  /// Reads the whole value and writes it in the form of [CborWriter].
  ///
  /// @throws WireException if the bytes are not CBOR as described
  public void copyTo(CborWriter writer) {
    while (true) {
      switch (next()) {
        case MAP_BEGIN -> writer.beginMap();
        case ARRAY_BEGIN -> writer.beginArray();
        case END -> writer.end();
        case TEXT -> writer.text(valueArray, valueOffset, valueLength);
        case BYTES -> writer.bytes(valueArray, valueOffset, valueLength);
        case INT -> writer.integer(number);
        case DOUBLE -> writer.real(real());
        case BOOL -> writer.bool(bool());
        case NULL -> writer.nothing();
        case DONE -> {
          return;
        }
      }
    }
  }

  private Token item() {
    int head = unsignedByte();
    int major = head >>> 5;
    int info = head & 31;
    count(major);
    return switch (major) {
      case 0 -> {
        number = argument(info);
        if (number < 0) {
          throw bad("an integer above 2^63-1");
        }
        yield Token.INT;
      }
      case 1 -> {
        number = argument(info);
        if (number < 0) {
          throw bad("an integer below -2^63");
        }
        number = ~number;
        yield Token.INT;
      }
      case 2 -> {
        string(major, info);
        yield Token.BYTES;
      }
      case 3 -> {
        string(major, info);
        yield Token.TEXT;
      }
      case 4 -> {
        open(false, info == 31 ? INDEFINITE : items(info));
        yield Token.ARRAY_BEGIN;
      }
      case 5 -> {
        open(true, info == 31 ? INDEFINITE : 2 * items(info));
        yield Token.MAP_BEGIN;
      }
      case 6 -> throw bad("a tag");
      default -> simple(info);
    };
  }

  /// Accounts for one item of the innermost container and checks that keys are texts.
  private void count(int major) {
    if (depth == 0) {
      return;
    }
    int level = depth - 1;
    if (inMap[level]) {
      if (atKey[level] && major != 3) {
        throw bad("a key that is no text");
      }
      atKey[level] = !atKey[level];
    }
    if (remaining[level] != INDEFINITE) {
      remaining[level]--;
    }
  }

  private void open(boolean map, long items) {
    if (depth == MAX_DEPTH) {
      throw bad("nesting deeper than " + MAX_DEPTH);
    }
    remaining[depth] = items;
    inMap[depth] = map;
    atKey[depth] = map;
    depth++;
  }

  private Token simple(int info) {
    return switch (info) {
      case 20, 21 -> {
        number = info == 21 ? 1 : 0;
        yield Token.BOOL;
      }
      case 22, 23 -> Token.NULL; // null and undefined
      case 25 -> real(Float.float16ToFloat((short) bigEndian(2)));
      case 26 -> real(Float.intBitsToFloat((int) bigEndian(4)));
      case 27 -> real(Double.longBitsToDouble(bigEndian(8)));
      case 31 -> throw bad("a break outside a container of indefinite length");
      default -> throw bad("simple value " + info);
    };
  }

  private Token real(double value) {
    number = Double.doubleToRawLongBits(value);
    return Token.DOUBLE;
  }

  private void string(int major, int info) {
    if (info != 31) {
      int length = length(argument(info));
      valueArray = source;
      valueOffset = position;
      valueLength = length;
      position += length;
      checkText(major, source, valueOffset, length);
      return;
    }
    byte[] joined = new byte[64];
    int size = 0;
    int head;
    while ((head = unsignedByte()) != BREAK) {
      if (head >>> 5 != major || (head & 31) == 31) {
        throw bad("a chunk of another type");
      }
      int length = length(argument(head & 31));
      checkText(major, source, position, length);
      if (size + length > joined.length) {
        joined = Arrays.copyOf(joined, Math.max(size + length, 2 * joined.length));
      }
      System.arraycopy(source, position, joined, size, length);
      position += length;
      size += length;
    }
    valueArray = joined;
    valueOffset = 0;
    valueLength = size;
  }

  private void checkText(int major, byte[] bytes, int offset, int length) {
    if (major != 3) {
      return;
    }
    for (int i = offset, end = offset + length; i < end; i++) {
      if (bytes[i] < 0) {
        try {
          StandardCharsets.UTF_8
              .newDecoder()
              .onMalformedInput(CodingErrorAction.REPORT)
              .decode(ByteBuffer.wrap(bytes, offset, length));
        } catch (CharacterCodingException e) {
          throw new WireException("bad CBOR value: a text that is no UTF-8; send valid UTF-8", e);
        }
        return;
      }
    }
  }

  /// The length of a container, each item of which takes at least a byte.
  private long items(int info) {
    long items = argument(info);
    if (items < 0 || items > limit - position) {
      throw bad("a container longer than its bytes");
    }
    return items;
  }

  private int length(long argument) {
    if (argument < 0 || argument > limit - position) {
      throw bad("a string longer than its bytes");
    }
    return (int) argument;
  }

  private long argument(int info) {
    if (info < 24) {
      return info;
    }
    return switch (info) {
      case 24 -> bigEndian(1);
      case 25 -> bigEndian(2);
      case 26 -> bigEndian(4);
      case 27 -> bigEndian(8);
      default -> throw bad("reserved length " + info);
    };
  }

  private long bigEndian(int width) {
    if (limit - position < width) {
      throw bad("cut off");
    }
    long value = 0;
    for (int i = 0; i < width; i++) {
      value = value << 8 | (source[position++] & 0xff);
    }
    return value;
  }

  private int peek() {
    return source[position] & 0xff;
  }

  private int unsignedByte() {
    if (position >= limit) {
      throw bad("cut off");
    }
    return source[position++] & 0xff;
  }

  private static WireException bad(String what) {
    return new WireException(
        "bad CBOR value: " + what + "; send maps and slices as RFC 8949 CBOR with text keys");
  }
}
