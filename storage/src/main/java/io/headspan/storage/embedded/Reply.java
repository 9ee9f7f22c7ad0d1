package io.headspan.storage.embedded;

import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpResponseWriter;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.common.ResponseHeadersBuilder;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// The answer to one request, written by one thread that waits while the client does not read.
final class Reply {
  /// Bytes handed to the network at once, and to one LZ4 frame.
  private static final int PART_BYTES = 256 * 1024;

  private static final int CHECK_SECONDS = 1;

  private final HttpResponseWriter writer = HttpResponse.streaming();
  private final String displayName;
  private final String timeZone;
  private final String version;
  private boolean begun;

  Reply(String displayName, String timeZone, String version) {
    this.displayName = displayName;
    this.timeZone = timeZone;
    this.version = version;
  }

  HttpResponse response() {
    return writer;
  }

  /// Completes exceptionally if the client goes away before the end.
  CompletableFuture<Void> whenComplete() {
    return writer.whenComplete();
  }

  /// Whether the status has been sent, so that an error can only break the connection.
  boolean hasBegun() {
    return begun;
  }

  void begin(GatewayRequest request, String format, StatementSummary summary) throws IOException {
    begun = true;
    ResponseHeaders headers =
        headers(HttpStatus.OK, contentType(format), request.queryId())
            .set("x-clickhouse-format", format)
            .set("x-clickhouse-summary", summary.toJson())
            .build();
    if (!writer.tryWrite(headers)) {
      throw gone();
    }
  }

  /// Sends the bytes of `result` from `offset` on, and returns when the client has taken nearly
  /// all.
  void write(EngineResult result, long offset, boolean compress) throws IOException {
    for (long at = offset; at < result.length(); ) {
      byte[] part = result.copy(at, (int) Math.min(PART_BYTES, result.length() - at));
      awaitTaken();
      if (!writer.tryWrite(HttpData.wrap(compress ? CompressedFrames.compress(part) : part))) {
        throw gone();
      }
      at += part.length;
    }
  }

  void end() {
    writer.close();
  }

  /// Answers with ClickHouse's text of an error; breaks the connection if it is too late for that.
  void fail(String queryId, EngineException error) {
    if (begun) {
      writer.close(error);
      return;
    }
    begun = true;
    String text = error.getMessage() == null ? "" : error.getMessage().strip();
    String body = text.contains("(version ") ? text : text + " (version " + version + ")";
    ResponseHeaders headers =
        headers(HttpStatus.valueOf(error.httpStatus()), "text/plain; charset=UTF-8", queryId)
            .set("x-clickhouse-exception-code", Integer.toString(error.code()))
            .build();
    boolean sent =
        writer.tryWrite(headers)
            && writer.tryWrite(HttpData.wrap((body + "\n").getBytes(StandardCharsets.UTF_8)));
    if (sent) {
      writer.close();
    } else {
      writer.close(error);
    }
  }

  /// Breaks the connection.
  void abort(Throwable cause) {
    writer.close(cause);
  }

  private ResponseHeadersBuilder headers(HttpStatus status, String contentType, String queryId) {
    return ResponseHeaders.builder(status)
        .set("content-type", contentType)
        .set("x-clickhouse-server-display-name", displayName)
        .set("x-clickhouse-query-id", queryId)
        .set("x-clickhouse-timezone", timeZone);
  }

  private void awaitTaken() throws IOException {
    CompletableFuture<Void> taken = writer.whenConsumed();
    while (true) {
      try {
        taken.get(CHECK_SECONDS, TimeUnit.SECONDS);
        return;
      } catch (TimeoutException e) {
        if (!writer.isOpen()) {
          throw gone();
        }
      } catch (ExecutionException e) {
        throw new IOException("client went away while it was answered", e.getCause());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new InterruptedIOException("interrupted while answering");
      }
    }
  }

  private static IOException gone() {
    return new IOException("client went away while it was answered");
  }

  private static String contentType(String format) {
    String name = format.toLowerCase(Locale.ROOT);
    if (name.startsWith("tabseparated") || name.startsWith("tsv")) {
      return "text/tab-separated-values; charset=UTF-8";
    }
    if (name.startsWith("csv")) {
      return "text/csv; charset=UTF-8";
    }
    if (name.equals("jsoneachrow") || name.equals("jsonlines") || name.equals("ndjson")) {
      return "application/x-ndjson; charset=UTF-8";
    }
    if (name.startsWith("json")) {
      return "application/json; charset=UTF-8";
    }
    if (name.equals("native") || name.startsWith("rowbinary") || name.startsWith("arrow")) {
      return "application/octet-stream";
    }
    return "text/plain; charset=UTF-8";
  }
}
