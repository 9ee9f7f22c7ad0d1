package io.headspan.storage.schema;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/// One step of the schema. Its statements can be repeated without harm, since ClickHouse has no
/// transactions around them and two processes may run them at once.
///
/// @param version the step's number, counted from 1
/// @param name the file's name without number
/// @param checksum 16 hex digits of the SHA-256 of the file
/// @param statements the SQL, in order
public record Migration(int version, String name, String checksum, List<String> statements) {
  private static final List<String> FILES =
      List.of(
          "0001_spans.sql",
          "0002_rollups.sql",
          "0003_slice_elements.sql",
          "0004_open_spans.sql",
          "0005_node_signals.sql",
          "0006_views_replaced.sql",
          "0007_logs_metrics.sql",
          "0008_two_tiers.sql",
          "0009_usage.sql",
          "0010_straight_to_kept.sql",
          "0011_trace_links.sql",
          "0012_elements_by_hash.sql",
          "0013_collector_ledger.sql",
          "0018_standing_for_several.sql",
          "0019_sampled_spans_apart.sql",
          "0020_latency_slots.sql",
          "0021_fewer_merges.sql",
          "0022_copies_together.sql",
          "0023_hashes_as_stored.sql",
          "0024_recent_parts_stay.sql",
          "0025_texts_by_value.sql");

  /// Every migration, in order.
  public static List<Migration> all() {
    return FILES.stream().map(Migration::read).toList();
  }

  private static Migration read(String file) {
    byte[] content;
    try (InputStream in = Migration.class.getResourceAsStream(file)) {
      if (in == null) {
        throw new IllegalStateException("migration is not on the class path: file=" + file);
      }
      content = in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException("migration cannot be read: file=" + file, e);
    }
    int version = Integer.parseInt(file.substring(0, 4));
    String name = file.substring(5, file.length() - ".sql".length());
    String sql = new String(content, StandardCharsets.UTF_8);
    List<String> statements =
        Arrays.stream(sql.split(";\\s*(\\n|$)")).filter(each -> !each.isBlank()).toList();
    return new Migration(version, name, checksum(content), statements);
  }

  private static String checksum(byte[] content) {
    try {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(content);
      return HexFormat.of().formatHex(hash, 0, 8);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }
}
