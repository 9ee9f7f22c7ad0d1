package io.headspan.agent.probe.http;

import io.headspan.agent.probe.http.HttpEvent.Direction;
import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.TranscribedConnection.Unreadable;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.ObjIntConsumer;

/// The connections of the node that are read from their bytes: HTTP/2, and HTTP/1.1 with pipelined
/// requests. A connection that cannot be read further is forgotten, and what follows of it ignored:
/// never guessed. Single-threaded.
final class Transcripts {
  private static final int CONNECTIONS_MAX = 1 << 15;

  /// Takes what is to be counted and how often.
  private final ObjIntConsumer<HttpCounter> counts;

  /// By socket cookie, the one that was silent the longest first.
  private final LinkedHashMap<Long, TranscribedConnection> connections =
      new LinkedHashMap<>(64, 0.75f, true);

  /// HTTP/1.1 requests that led to HTTP/2, whose transcript has not begun yet.
  private final Map<Long, Upgrade> upgrades = new LinkedHashMap<>();

  /// Connections of which something was raw, and what the kernel was told of them.
  private final Map<ResumeKey, Integer> resumable = new LinkedHashMap<>();

  private record Upgrade(HttpEvent.Exchange request, byte[] head, boolean headComplete) {}

  private record ResumeKey(long cookie, Direction direction) {}

  /// Connections of which the kernel need not hand on anything more.
  private final Set<Long> unwanted = new LinkedHashSet<>();

  /// Tells the kernel from where on a direction is to be handed on; of HTTP/2, a frame begins
  /// there.
  interface Resumption {
    void at(long cookie, Direction direction, ResumePoint point);
  }

  Transcripts(ObjIntConsumer<HttpCounter> counts) {
    this.counts = counts;
  }

  /// Takes a request that was answered with a change to HTTP/2.
  void upgrade(HttpEvent.Exchange request, byte[] head, boolean headComplete) {
    if (upgrades.size() >= CONNECTIONS_MAX) {
      upgrades.clear();
      counts.accept(HttpCounter.TRANSCRIPTS_FORGOTTEN, 1);
    }
    upgrades.put(request.cookie(), new Upgrade(request, head, headComplete));
  }

  void begin(HttpEvent.Transcript transcript) {
    var connection = new Http2Connection(transcript);
    Upgrade upgrade = upgrades.remove(transcript.cookie());
    if (upgrade != null && upgrade.request().exchange() == transcript.exchange()) {
      connection.beginUpgraded(upgrade.request(), upgrade.head(), upgrade.headComplete());
    }
    begin(connection);
  }

  /// Nothing of it is of interest.
  void refuse(long cookie) {
    unwanted.add(cookie);
  }

  void begin(TranscribedConnection connection) {
    connections.put(connection.cookie(), connection);
    if (connections.size() > CONNECTIONS_MAX) {
      giveUp(connections.firstEntry().getValue(), HttpCounter.TRANSCRIPTS_FORGOTTEN);
    }
  }

  void accept(HttpEvent.Bytes bytes, Consumer<HttpExchange> sink) {
    TranscribedConnection connection = connections.get(bytes.cookie());
    if (connection == null) {
      return;
    }
    try {
      connection.accept(bytes, sink);
    } catch (Unreadable unreadable) {
      giveUp(connection, unreadable.reason());
      return;
    }
    countLost(connection, connection.takeLost());
    if (connection.isRaw(bytes.direction())) {
      resumable.putIfAbsent(new ResumeKey(bytes.cookie(), bytes.direction()), 0);
    }
  }

  void end(HttpEvent.TranscriptEnd transcriptEnd, Consumer<HttpExchange> sink) {
    TranscribedConnection connection = connections.remove(transcriptEnd.cookie());
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
      countLost(connection, connection.openRequests());
      return;
    }
    try {
      connection.end(end, transcriptEnd.endNs(), sink);
      countLost(connection, connection.takeLost());
    } catch (Unreadable unreadable) {
      counts.accept(unreadable.reason(), 1);
      countLost(connection, connection.openRequests());
    }
  }

  /// Tells where the kernel may follow frames again, once for each place.
  void resume(Resumption resumption) {
    resumable
        .entrySet()
        .removeIf(entry -> {
          ResumeKey key = entry.getKey();
          TranscribedConnection connection = connections.get(key.cookie());
          if (connection == null) {
            return true;
          }
          ResumePoint point = connection.resumePoint(key.direction());
          if (point == null) {
            return !connection.isRaw(key.direction());
          }
          if (entry.getValue() != point.sequence()) {
            entry.setValue(point.sequence());
            resumption.at(key.cookie(), key.direction(), point);
          }
          return false;
        });
  }

  /// The connections of which nothing more is of interest since the last call.
  Set<Long> takeUnwanted() {
    if (unwanted.isEmpty()) {
      return Set.of();
    }
    Set<Long> taken = Set.copyOf(unwanted);
    unwanted.clear();
    return taken;
  }

  /// Gives up connections of which bytes are missing for too long.
  void checkPatience(long nowNs) {
    Map<TranscribedConnection, HttpCounter> hopeless = new LinkedHashMap<>();
    for (ResumeKey key : resumable.keySet()) {
      TranscribedConnection connection = connections.get(key.cookie());
      try {
        if (connection != null) {
          connection.checkPatience(key.direction(), nowNs);
        }
      } catch (Unreadable unreadable) {
        hopeless.put(connection, unreadable.reason());
      }
    }
    hopeless.forEach(this::giveUp);
  }

  /// Reports the streams that have been open since before `bornNs` as open.
  void reportOpen(long bornNs, long nowNs, Consumer<HttpExchange> sink) {
    connections.values().forEach(connection -> connection.reportOpen(bornNs, nowNs, sink));
  }

  private void giveUp(TranscribedConnection connection, HttpCounter reason) {
    if (connections.remove(connection.cookie()) != null) {
      unwanted.add(connection.cookie());
      counts.accept(reason, 1);
      countLost(connection, connection.openRequests());
    }
  }

  private void countLost(TranscribedConnection connection, int requests) {
    if (requests > 0) {
      counts.accept(connection.lostRequests(), requests);
    }
  }
}
