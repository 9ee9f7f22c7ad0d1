package io.headspan.agent.probe.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.http.HttpEvent.Direction;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Random;
import java.util.Set;
import java.util.function.LongConsumer;
import org.junit.jupiter.api.Test;

/// Hostile bytes in place of HTTP/2: whatever comes, nothing is thrown, what is kept stays bounded,
/// and a connection is given up for a reason that is counted. `-Dheadspan.fuzz.seconds` sets the
/// time.
class Http2FuzzTest {
  private static final Duration BUDGET =
      Duration.ofSeconds(Long.getLong("headspan.fuzz.seconds", 1));
  private static final Set<HttpCounter> REASONS =
      EnumSet.of(
          HttpCounter.HTTP2_BYTES_MISSING,
          HttpCounter.HTTP2_MALFORMED,
          HttpCounter.HTTP2_STREAMS_LOST);
  private static final int[] TYPES = {0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 10, 200};

  private static void repeat(LongConsumer test) {
    long endNs = System.nanoTime() + BUDGET.toNanos();
    long seed = System.nanoTime();
    do {
      long current = seed++;
      try {
        test.accept(current);
      } catch (RuntimeException | Error failure) {
        throw new AssertionError("seed=" + current, failure);
      }
    } while (System.nanoTime() - endNs < 0);
  }

  private static void read(byte[] fromClient, byte[] fromServer, Random random) {
    var transcripts = new Transcripts((counter, _) -> assertThat(REASONS).contains(counter));
    transcripts.begin(RecordedHttp2.transcript(5, 6));
    RecordedHttp2.feed(
        transcripts,
        RecordedHttp2.raw(Direction.FROM_CLIENT, fromClient, 5, random, random.nextInt(3)),
        RecordedHttp2.raw(Direction.FROM_SERVER, fromServer, 6, random, random.nextInt(3)),
        exchange -> {
          assertThat(exchange.status()).isBetween(0, 9_999);
          assertThat(exchange.grpcStatus()).isBetween(-1, 9_999);
          assertThat(exchange.headNs()).isLessThanOrEqualTo(exchange.tailNs());
        });
    transcripts.resume((_, _, _) -> {});
    transcripts.checkPatience(Long.MAX_VALUE);
  }

  @Test
  void bearsChangedConnections() throws IOException {
    RecordedHttp2 recorded = RecordedHttp2.record();
    repeat(seed -> {
      var random = new Random(seed);
      read(mutate(recorded.fromClient(), random), mutate(recorded.fromServer(), random), random);
    });
  }

  @Test
  void bearsFramesOfNoise() {
    repeat(seed -> {
      var random = new Random(seed);
      byte[] preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
      var client = new ByteArrayOutputStream();
      client.writeBytes(preface);
      client.writeBytes(frames(random));
      read(client.toByteArray(), frames(random), random);
    });
  }

  @Test
  void keepsHeadsOfHostileHeadersInTheirLines() {
    repeat(seed -> {
      var random = new Random(seed);
      var headers = new DefaultHttp2Headers(false);
      headers.method(text(random));
      headers.path(text(random));
      for (int i = 0; i < random.nextInt(5); i++) {
        headers.add(random.nextBoolean() ? "traceparent" : "b3", text(random));
      }
      String head = new String(Http2RequestHead.of(headers), StandardCharsets.ISO_8859_1);
      int contexts = headers.getAll("traceparent").size() + headers.getAll("b3").size();
      assertThat(head.split("\n", -1)).hasSize(contexts + 3);
      assertThat(head).endsWith("\r\n\r\n");
    });
  }

  private static byte[] mutate(byte[] bytes, Random random) {
    byte[] mutated = bytes.clone();
    for (int i = 0; i < random.nextInt(4); i++) {
      mutated[random.nextInt(mutated.length)] = (byte) random.nextInt(256);
    }
    return mutated;
  }

  private static byte[] frames(Random random) {
    var frames = new ByteArrayOutputStream();
    for (int i = 0; i < random.nextInt(60); i++) {
      byte[] payload = new byte[random.nextInt(random.nextInt(100) == 0 ? 20_000 : 40)];
      random.nextBytes(payload);
      int stream = random.nextInt(5) == 0 ? random.nextInt() : random.nextInt(12);
      frames.write(payload.length >> 16);
      frames.write(payload.length >> 8);
      frames.write(payload.length);
      frames.write(TYPES[random.nextInt(TYPES.length)]);
      frames.write(random.nextInt(3) == 0 ? random.nextInt(256) : 4 + random.nextInt(2));
      frames.write(stream >> 24);
      frames.write(stream >> 16);
      frames.write(stream >> 8);
      frames.write(stream);
      frames.writeBytes(payload);
    }
    if (frames.size() == 0) {
      frames.write(0);
    }
    return frames.toByteArray();
  }

  private static String text(Random random) {
    var text = new StringBuilder();
    for (int i = 0; i < random.nextInt(20); i++) {
      text.append((char) random.nextInt(random.nextBoolean() ? 0x20 : 0x100));
    }
    return text.toString();
  }
}
