package io.headspan.query.access;

import io.headspan.wire.access.Tokens;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// What tenants see instead of the names of others: HMAC-SHA-256 under a key, so that a name has
/// the same pseudonym every time and cannot be tried without the key.
public final class Pseudonyms {
  private static final String ALGORITHM = "HmacSHA256";
  private static final int BLOCK_BYTES = 64;
  private static final byte OUTER = 0x5c;
  private static final byte INNER = 0x36;

  /// So many hex digits of the MAC are shown.
  private static final int DIGITS = 12;

  private static final String PREFIX = "tenant-";

  private final byte[] key;

  /// @param secret the key, in any letters
  public Pseudonyms(String secret) {
    key = HexFormat.of().parseHex(Tokens.hash(secret));
  }

  /// What stands for a name. Names in braces, such as `{host}`, are no tenants and stay.
  public String of(String name) {
    if (name.isEmpty() || name.startsWith("{")) {
      return name;
    }
    try {
      Mac mac = Mac.getInstance(ALGORITHM);
      mac.init(new SecretKeySpec(key, ALGORITHM));
      byte[] code = mac.doFinal(name.getBytes(StandardCharsets.UTF_8));
      return PREFIX + HexFormat.of().formatHex(code).substring(0, DIGITS);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java has " + ALGORITHM, e);
    }
  }

  /// The same in ClickHouse's SQL, after RFC 2104; the key comes by parameters.
  ///
  /// @param name an expression of type String
  public String sql(String name) {
    return ("if(empty(%1$s) OR startsWith(%1$s,'{'),%1$s,concat('"
            + PREFIX
            + "',substring(lower(hex(SHA256(concat(unhex({outer_key:String}),SHA256(concat(unhex({inner_key:String}),%1$s)))))),1,"
            + DIGITS
            + ")))")
        .formatted(name);
  }

  /// Value of `{outer_key:String}`.
  public String outerKey() {
    return padded(OUTER);
  }

  /// Value of `{inner_key:String}`.
  public String innerKey() {
    return padded(INNER);
  }

  private String padded(byte pad) {
    byte[] block = Arrays.copyOf(key, BLOCK_BYTES);
    for (int i = 0; i < block.length; i++) {
      block[i] ^= pad;
    }
    return HexFormat.of().formatHex(block);
  }
}
