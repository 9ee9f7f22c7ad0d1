package io.headspan.agent.probe.http;

import io.headspan.agent.probe.http.HttpEvent.Direction;
import io.headspan.agent.probe.http.HttpExchange.End;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// A connection that is read from its bytes. Single-threaded.
interface TranscribedConnection {
  long cookie();

  /// Takes the next record.
  ///
  /// @throws Unreadable if the connection cannot be read further
  void accept(HttpEvent.Bytes bytes, Consumer<HttpExchange> sink) throws Unreadable;

  /// The connection ended.
  ///
  /// @throws Unreadable if bytes are missing that tell of requests; their number is
  ///   [#openRequests()] then
  void end(End end, long endNs, Consumer<HttpExchange> sink) throws Unreadable;

  /// Reports the requests that have been open since before `bornNs` as open.
  void reportOpen(long bornNs, long nowNs, Consumer<HttpExchange> sink);

  /// How many requests have no end yet.
  int openRequests();

  /// How many requests could not be reported since the last call, though the connection goes on.
  int takeLost();

  /// What counts requests that were not reported.
  HttpCounter lostRequests();

  /// Whether the kernel hands on everything of this direction and wants to be told when that is not
  /// needed.
  boolean isRaw(Direction direction);

  /// What to tell the kernel of a direction that is raw: where it may go on; null if there is
  /// nothing to tell.
  @Nullable ResumePoint resumePoint(Direction direction);

  /// Looks whether bytes are still worth waiting for.
  ///
  /// @throws Unreadable if they are missing for too long
  void checkPatience(Direction direction, long nowNs) throws Unreadable;

  /// The connection cannot be read further.
  final class Unreadable extends Exception {
    private static final long serialVersionUID = 1;

    private final HttpCounter reason;

    Unreadable(HttpCounter reason) {
      super(reason.label(), null, false, false);
      this.reason = reason;
    }

    HttpCounter reason() {
      return reason;
    }
  }
}
