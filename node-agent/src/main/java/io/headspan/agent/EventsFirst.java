package io.headspan.agent;

import io.headspan.agent.probe.http.HttpExchange;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/// Hands an exchange on when all that happened to processes and cgroups before its end has been.
///
/// The two come in rings of their own. Between the moments when one and the other are read, and
/// while the second is, a container may begin and answer: without a second look at the first, its
/// exchange would come before it, and not be known as its first one. One thread.
final class EventsFirst {
  private final Runnable reader;
  private final LongSupplier clockNs;
  private final Consumer<HttpExchange> sink;
  private long readNs;

  /// @param reader hands on all events that are there
  /// @param clockNs CLOCK_MONOTONIC
  EventsFirst(Runnable reader, LongSupplier clockNs, Consumer<HttpExchange> sink) {
    this.reader = reader;
    this.clockNs = clockNs;
    this.sink = sink;
    readNs = clockNs.getAsLong();
  }

  /// Hands on all events until now.
  void readEvents() {
    readNs = clockNs.getAsLong();
    reader.run();
  }

  /// Hands on an exchange, behind the events before its end.
  void onExchange(HttpExchange exchange) {
    if (exchange.tailNs() - readNs > 0) {
      readEvents();
    }
    sink.accept(exchange);
  }
}
