package io.headspan.agent.invocation;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.http.HttpExchange;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class TimeLineTest {
  /// Against a list that is sorted after every addition.
  @Test
  void staysInOrderUnderAdditionsAndRemovalsAnywhere() {
    SplittableRandom random = new SplittableRandom(1);
    TimeLine line = new TimeLine();
    List<Entry> expected = new ArrayList<>();
    for (int round = 0; round < 20_000; round++) {
      boolean adds = random.nextInt(100) < (round / 2_000 % 2 == 0 ? 60 : 40);
      if (adds || expected.isEmpty()) {
        Entry entry = new Entry(round / 10 + random.nextLong(20), node());
        line.add(entry.timeNs, entry.node);
        expected.add(entry);
        expected.sort(Comparator.comparingLong(Entry::timeNs));
      } else {
        int at = random.nextInt(3) == 0 ? random.nextInt(expected.size()) : 0;
        Entry entry = expected.remove(at);
        assertThat(line.remove(entry.timeNs, entry.node)).isTrue();
        assertThat(line.remove(entry.timeNs, entry.node)).isFalse();
      }
      assertThat(line.size()).isEqualTo(expected.size());
      long from = round / 10 + random.nextLong(20);
      int first = line.firstFrom(from);
      assertThat(first).isEqualTo(expected.stream().filter(e -> e.timeNs < from).count());
      if (!expected.isEmpty()) {
        int at = random.nextInt(expected.size());
        assertThat(line.time(at)).isEqualTo(expected.get(at).timeNs);
        assertThat(line.node(at)).isSameAs(expected.get(at).node);
      }
    }
  }

  private record Entry(long timeNs, Node node) {}

  private static Node node() {
    InetSocketAddress address = new InetSocketAddress("127.0.0.1", 1);
    return new Node(
        new HttpExchange(
            HttpExchange.Role.SERVER,
            1,
            1,
            address,
            address,
            0,
            0,
            0,
            0,
            new byte[0],
            true,
            200,
            0,
            HttpExchange.End.RESPONSE,
            -1,
            false),
        null,
        Watch.WHOLE_LIFE,
        1,
        0);
  }
}
