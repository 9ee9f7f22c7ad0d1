package io.headspan.wasm.host;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Random bytes for one invocation: SHA-256 over a secret key and a counter.
///
/// The operating system's generator is not asked from inside a host function, because a guest may
/// have used up all but a few bytes of its stack before it asks: an overflow in the middle of a
/// generator that everybody shares would harm everybody. Here it harms this invocation.
final class GuestRandom {
  private static final int KEY_BYTES = 32;

  private final byte[] keyAndCounter;
  private @Nullable MessageDigest digest;
  private byte[] block = {};
  private int used;
  private long counter;

  private GuestRandom(byte[] key) {
    this.keyAndCounter = Arrays.copyOf(key, KEY_BYTES + Long.BYTES);
  }

  /// Fills a part of `target`.
  void fill(byte[] target, int offset, int length) {
    int at = offset;
    while (at < offset + length) {
      if (used == block.length) {
        block = nextBlock();
        used = 0;
      }
      int chunk = Math.min(offset + length - at, block.length - used);
      System.arraycopy(block, used, target, at, chunk);
      used += chunk;
      at += chunk;
    }
  }

  private byte[] nextBlock() {
    if (digest == null) {
      try {
        digest = MessageDigest.getInstance("SHA-256");
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException("every Java platform has SHA-256", e);
      }
    }
    long value = counter++;
    for (int i = 0; i < Long.BYTES; i++) {
      keyAndCounter[KEY_BYTES + i] = (byte) (value >>> (8 * i));
    }
    return digest.digest(keyAndCounter);
  }

  /// Gives keys to the invocations of one worker thread. Keys are drawn many at a time, so that an
  /// invocation that never asks for random bytes costs next to nothing.
  static final class Keys {
    private static final int KEYS = 128;

    private final SecureRandom random;
    private final byte[] keys = new byte[KEYS * KEY_BYTES];
    private int next = keys.length;

    Keys(SecureRandom random) {
      this.random = random;
    }

    GuestRandom next() {
      if (next == keys.length) {
        random.nextBytes(keys);
        next = 0;
      }
      byte[] key = Arrays.copyOfRange(keys, next, next + KEY_BYTES);
      Arrays.fill(keys, next, next + KEY_BYTES, (byte) 0);
      next += KEY_BYTES;
      return new GuestRandom(key);
    }
  }
}
