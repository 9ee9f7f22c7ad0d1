package io.headspan.agent.probe.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.http.HttpEvent.ConnectionEnd;
import io.headspan.agent.probe.http.HttpEvent.Direction;
import io.headspan.agent.probe.http.HttpExchange.End;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TranscriptsTest {
  private RecordedHttp2 recorded;
  private final Map<HttpCounter, Integer> counts = new EnumMap<>(HttpCounter.class);

  @BeforeAll
  void record() throws IOException {
    recorded = RecordedHttp2.record();
  }

  private Transcripts transcripts() {
    counts.clear();
    return new Transcripts((counter, times) -> counts.merge(counter, times, Integer::sum));
  }

  private List<String> read(
      int client, int server, List<HttpEvent.Bytes> fromClient, List<HttpEvent.Bytes> fromServer) {
    List<String> found = new ArrayList<>();
    Transcripts transcripts = transcripts();
    transcripts.begin(RecordedHttp2.transcript(client, server));
    RecordedHttp2.feed(
        transcripts,
        fromClient,
        fromServer,
        exchange -> found.add(RecordedHttp2.describe(exchange)));
    transcripts.checkPatience(System.nanoTime());
    return found;
  }

  @Test
  void readsTheSameHoweverTheBytesAreCutUp() {
    for (int seed = 0; seed < 200; seed++) {
      var random = new Random(seed);
      // Some of them go over the end of the sequence numbers.
      int client = seed % 3 == 0 ? -1_000 : random.nextInt();
      int server = seed % 3 == 1 ? Integer.MAX_VALUE - 1_000 : random.nextInt();
      int disorder = seed % 2 == 0 ? 0 : 100;
      List<String> found =
          read(
              client,
              server,
              RecordedHttp2.raw(
                  Direction.FROM_CLIENT, recorded.fromClient(), client, random, disorder),
              RecordedHttp2.raw(
                  Direction.FROM_SERVER, recorded.fromServer(), server, random, disorder));
      assertThat(found)
          .as("seed %d", seed)
          .containsExactlyInAnyOrderElementsOf(recorded.exchanges());
      assertThat(counts).isEmpty();
    }
  }

  @Test
  void readsTheSameWithoutThePayloadOfData() {
    for (int seed = 0; seed < 50; seed++) {
      var random = new Random(seed);
      int client = random.nextInt();
      int server = random.nextInt();
      List<String> found =
          read(
              client,
              server,
              RecordedHttp2.kept(Direction.FROM_CLIENT, recorded.fromClient(), client, random),
              RecordedHttp2.kept(Direction.FROM_SERVER, recorded.fromServer(), server, random));
      assertThat(found)
          .as("seed %d", seed)
          .containsExactlyInAnyOrderElementsOf(recorded.exchanges());
      assertThat(counts).isEmpty();
    }
  }

  @Test
  void saysNothingWrongWhenBytesAreMissing() {
    int incomplete = 0;
    for (int seed = 0; seed < 200; seed++) {
      var random = new Random(seed);
      List<HttpEvent.Bytes> fromClient =
          RecordedHttp2.raw(Direction.FROM_CLIENT, recorded.fromClient(), 0, random, 0);
      List<HttpEvent.Bytes> fromServer =
          RecordedHttp2.raw(Direction.FROM_SERVER, recorded.fromServer(), 0, random, 0);
      List<HttpEvent.Bytes> lossy = seed % 2 == 0 ? fromClient : fromServer;
      lossy.remove(random.nextInt(lossy.size()));
      List<String> found = read(0, 0, fromClient, fromServer);
      assertThat(recorded.exchanges()).as("seed %d", seed).containsAll(found);
      if (found.size() < recorded.exchanges().size()) {
        incomplete++;
        assertThat(counts).as("seed %d", seed).containsEntry(HttpCounter.HTTP2_BYTES_MISSING, 1);
      }
    }
    assertThat(incomplete).isPositive();
  }

  @Test
  void tellsTheKernelWhereToGoOn() {
    Transcripts transcripts = transcripts();
    transcripts.begin(RecordedHttp2.transcript(0, 0));
    byte[] bytes = recorded.fromClient();
    List<Integer> points = new ArrayList<>();
    for (HttpEvent.Bytes record :
        RecordedHttp2.raw(Direction.FROM_CLIENT, bytes, 0, new Random(1), 0)) {
      transcripts.accept(record, _ -> {});
      transcripts.resume((_, direction, point) -> {
        assertThat(direction).isEqualTo(Direction.FROM_CLIENT);
        assertThat(openIn(point)).isEqualTo(begunBefore(bytes, point.sequence()));
        points.add(point.sequence());
      });
    }
    assertThat(points).isNotEmpty().doesNotHaveDuplicates();
    assertThat(points).isSubsetOf(boundaries(bytes));
    assertThat(points.getLast()).isEqualTo(bytes.length);
  }

  /// Nothing has been answered.
  private static List<Integer> begunBefore(byte[] bytes, int end) {
    return boundaries(bytes).stream()
        .filter(at -> at < end && bytes[at + 3] == Http2Frames.HEADERS)
        .map(at -> ByteBuffer.wrap(bytes, at + 5, Integer.BYTES).getInt())
        .distinct()
        .toList();
  }

  private static List<Integer> openIn(ResumePoint point) {
    ResumePoint.OpenStreams streams = Objects.requireNonNull(point.streams());
    return BitSet.valueOf(streams.bits()).stream().mapToObj(at -> 2 * at + 1).toList();
  }

  private static List<Integer> boundaries(byte[] bytes) {
    List<Integer> boundaries = new ArrayList<>();
    int at = 24;
    while (at + 9 <= bytes.length) {
      boundaries.add(at);
      at +=
          9 + (((bytes[at] & 0xff) << 16) | ((bytes[at + 1] & 0xff) << 8) | (bytes[at + 2] & 0xff));
    }
    boundaries.add(at);
    return boundaries;
  }

  @Test
  void endsStreamsWithTheirConnection() {
    for (ConnectionEnd end :
        List.of(ConnectionEnd.CLOSED, ConnectionEnd.RESET, ConnectionEnd.LEFT)) {
      Transcripts transcripts = transcripts();
      transcripts.begin(RecordedHttp2.transcript(0, 0));
      List<HttpExchange> found = new ArrayList<>();
      RecordedHttp2.raw(Direction.FROM_CLIENT, recorded.fromClient(), 0, new Random(1), 0)
          .forEach(record -> transcripts.accept(record, found::add));
      assertThat(found).isEmpty();
      transcripts.reportOpen(Long.MAX_VALUE, 5_000_000, found::add);
      int streams = recorded.exchanges().size();
      assertThat(found).hasSize(streams).allMatch(exchange -> exchange.end() == End.OPEN);
      found.clear();
      transcripts.end(new HttpEvent.TranscriptEnd(1, end, 77_000_000), found::add);
      if (end == ConnectionEnd.LEFT) {
        assertThat(found).isEmpty();
        assertThat(counts).containsEntry(HttpCounter.HTTP2_STREAMS_LOST, streams);
      } else {
        End expected = end == ConnectionEnd.CLOSED ? End.CLOSED : End.RESET;
        assertThat(found)
            .hasSize(streams)
            .allMatch(exchange -> exchange.end() == expected)
            .allMatch(exchange -> exchange.tailNs() == 77_000_000)
            .allMatch(exchange -> exchange.status() == 0);
      }
    }
  }

  /// Which streams there were is in bytes that did not come.
  @Test
  void countsConnectionsThatEndWithTheirBeginningMissing() {
    Transcripts transcripts = transcripts();
    transcripts.begin(RecordedHttp2.transcript(0, 0));
    List<HttpExchange> found = new ArrayList<>();
    RecordedHttp2.raw(Direction.FROM_CLIENT, recorded.fromClient(), 0, new Random(1), 0).stream()
        .skip(1)
        .forEach(record -> transcripts.accept(record, found::add));
    transcripts.end(new HttpEvent.TranscriptEnd(1, ConnectionEnd.CLOSED, 77_000_000), found::add);
    assertThat(found).isEmpty();
    assertThat(counts).containsOnly(Map.entry(HttpCounter.HTTP2_BYTES_MISSING, 1));
  }
}
