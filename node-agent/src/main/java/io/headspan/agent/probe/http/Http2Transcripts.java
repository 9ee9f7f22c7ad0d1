package io.headspan.agent.probe.http;

import io.headspan.agent.probe.http.Http2Frames.Unreadable;
import io.headspan.agent.probe.http.HttpEvent.Direction;
import io.headspan.agent.probe.http.HttpExchange.End;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.ObjIntConsumer;

/// The HTTP/2 connections of the node. A connection that cannot be read further is forgotten, and
/// what follows of it ignored: never guessed. Single-threaded.
final class Http2Transcripts {
  private static final int CONNECTIONS_MAX = 1 << 15;

  /// Takes what is to be counted and how often.
  private final ObjIntConsumer<HttpCounter> counts;

  /// By socket cookie, the one that was silent the longest first.
  private final LinkedHashMap<Long, Http2Connection> connections =
      new LinkedHashMap<>(64, 0.75f, true);

  /// HTTP/1.1 requests that led to HTTP/2, whose transcript has not begun yet.
  private final Map<Long, Upgrade> upgrades = new LinkedHashMap<>();

  /// Connections of which something was raw, and what the kernel was told of them.
  private final Map<ResumeKey, Integer> resumable = new LinkedHashMap<>();

  private record Upgrade(HttpEvent.Exchange request, byte[] head, boolean headComplete) {}

  private record ResumeKey(long cookie, Direction direction) {}

  /// Tells the kernel where a direction's frames can be followed again.
  interface Resumption {
    void at(long cookie, Direction direction, int sequence);
  }

  Http2Transcripts(ObjIntConsumer<HttpCounter> counts) {
    this.counts = counts;
  }

  /// Takes a request that was answered with a change to HTTP/2.
  void upgrade(HttpEvent.Exchange request, byte[] head, boolean headComplete) {
    if (upgrades.size() >= CONNECTIONS_MAX) {
      upgrades.clear();
      counts.accept(HttpCounter.HTTP2_FORGOTTEN, 1);
    }
    upgrades.put(request.cookie(), new Upgrade(request, head, headComplete));
  }

  void begin(HttpEvent.Transcript transcript) {
    var connection = new Http2Connection(transcript);
    Upgrade upgrade = upgrades.remove(transcript.cookie());
    if (upgrade != null && upgrade.request().exchange() == transcript.exchange()) {
      connection.beginUpgraded(upgrade.request(), upgrade.head(), upgrade.headComplete());
    }
    connections.put(transcript.cookie(), connection);
    if (connections.size() > CONNECTIONS_MAX) {
      giveUp(connections.firstEntry().getValue(), HttpCounter.HTTP2_FORGOTTEN);
    }
  }

  void accept(HttpEvent.Bytes bytes, Consumer<HttpExchange> sink) {
    Http2Connection connection = connections.get(bytes.cookie());
    if (connection == null) {
      return;
    }
    try {
      connection.accept(bytes, sink);
    } catch (Unreadable unreadable) {
      giveUp(connection, unreadable.reason());
      return;
    }
    countLost(connection.takeLost());
    if (connection.frames(bytes.direction()).isRaw()) {
      resumable.putIfAbsent(new ResumeKey(bytes.cookie(), bytes.direction()), 0);
    }
  }

  void end(HttpEvent.TranscriptEnd transcriptEnd, Consumer<HttpExchange> sink) {
    Http2Connection connection = connections.remove(transcriptEnd.cookie());
    if (connection == null) {
      return;
    }
    End end =
        switch (transcriptEnd.end()) {
          case CLOSED -> End.CLOSED;
          case RESET -> End.RESET;
          case NONE, LEFT, TRANSCRIBED -> null;
        };
    if (end == null) {
      countLost(connection.openStreams());
    } else {
      connection.end(end, transcriptEnd.endNs(), sink);
      countLost(connection.takeLost());
    }
  }

  /// Tells where the kernel may follow frames again, once for each place.
  void resume(Resumption resumption) {
    resumable
        .entrySet()
        .removeIf(entry -> {
          ResumeKey key = entry.getKey();
          Http2Connection connection = connections.get(key.cookie());
          if (connection == null) {
            return true;
          }
          Http2Frames frames = connection.frames(key.direction());
          if (!frames.canResume()) {
            return !frames.isRaw();
          }
          if (entry.getValue() != frames.position()) {
            entry.setValue(frames.position());
            resumption.at(key.cookie(), key.direction(), frames.position());
          }
          return false;
        });
  }

  /// Gives up connections of which bytes are missing for too long.
  void checkPatience(long nowNs) {
    List<Http2Connection> hopeless = new ArrayList<>();
    for (ResumeKey key : resumable.keySet()) {
      Http2Connection connection = connections.get(key.cookie());
      try {
        if (connection != null) {
          connection.frames(key.direction()).checkPatience(nowNs);
        }
      } catch (Unreadable _) {
        hopeless.add(connection);
      }
    }
    hopeless.forEach(connection -> giveUp(connection, HttpCounter.HTTP2_BYTES_MISSING));
  }

  /// Reports the streams that have been open since before `bornNs` as open.
  void reportOpen(long bornNs, long nowNs, Consumer<HttpExchange> sink) {
    connections.values().forEach(connection -> connection.reportOpen(bornNs, nowNs, sink));
  }

  private void giveUp(Http2Connection connection, HttpCounter reason) {
    if (connections.remove(connection.cookie()) != null) {
      counts.accept(reason, 1);
      countLost(connection.openStreams());
    }
  }

  private void countLost(int streams) {
    if (streams > 0) {
      counts.accept(HttpCounter.HTTP2_STREAMS_LOST, streams);
    }
  }
}
