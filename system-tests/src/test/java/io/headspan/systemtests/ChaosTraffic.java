package io.headspan.systemtests;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// What is sent while roles are killed: batches that are the same whenever they are asked for, with
/// ids that say where they come from, so that what is stored can be held against what was sent.
///
/// Trace ids are `kind << 48 | batch` and the number of the trace in it, from 1. A trace of three
/// spans is in one batch; the agents' batches of one number share some traces of four, two spans of
/// each in either. Span time runs faster than the clock, so that windows of the recent tier end.
///
/// @param startNs of the first batch, ns since the Unix epoch
record ChaosTraffic(long startNs) {
  /// A trace in one batch, or in one of each agent.
  static final int TRACES = 60;

  static final int SPANS_OF_TRACE = 3;
  static final int SHARED_TRACES = 10;
  static final int SPANS_OF_SHARED = 4;

  /// Spans of an agent's batch.
  static final int AGENT_SPANS = TRACES * SPANS_OF_TRACE + SHARED_TRACES * SPANS_OF_SHARED / 2;

  /// Spans of a batch by OTLP.
  static final int OTLP_SPANS = TRACES * SPANS_OF_TRACE;

  /// One in so many traces fails, of those in one batch and of shared ones.
  static final int FAILS_EACH = 6;

  static final int SHARED_FAILS_EACH = 2;

  /// From one batch of an agent to its next, in span time.
  static final Duration STEP = Duration.ofSeconds(2);

  /// An SDK's batch comes as often as so many of an agent's.
  static final int OTLP_STEPS = 2;

  static final int SHARED_KIND = 9;

  private static final long MS = TimeUnit.MILLISECONDS.toNanos(1);
  private static final long WINDOW_SECONDS = 300;
  private static final byte INTERNAL = 1;
  private static final byte SERVER = 2;
  private static final byte CLIENT = 3;
  private static final byte ERROR = 2;
  private static final int OPERATIONS = 7;

  /// Who sends.
  enum Source {
    LEFT(1),
    RIGHT(2),
    OTLP(3);

    final int kind;

    Source(int kind) {
      this.kind = kind;
    }

    /// From one batch to the next, in span time.
    Duration step() {
      return isAgent() ? STEP : STEP.multipliedBy(OTLP_STEPS);
    }

    boolean isAgent() {
      return this != OTLP;
    }

    /// Its own services' tenant; SDKs name none.
    String tenant() {
      return isAgent() ? name().toLowerCase(Locale.ROOT) : "";
    }

    String service(String part) {
      return name().toLowerCase(Locale.ROOT) + "-" + part;
    }
  }

  /// A row of a rollup of invocations.
  ///
  /// @param slot when its minute or hour begins, s since the Unix epoch
  record Served(long slot, String service, String operation, int status) {
    Served from(long otherSlot) {
      return new Served(otherSlot, service, operation, status);
    }
  }

  /// What a rollup says of one.
  record Sums(long invocations, long durationNs, long billedMs, long cpuNs) {
    Sums plus(Sums other) {
      return new Sums(
          invocations + other.invocations,
          durationNs + other.durationNs,
          billedMs + other.billedMs,
          cpuNs + other.cpuNs);
    }
  }

  /// Spans of one batch.
  static int spans(Source source) {
    return source.isAgent() ? AGENT_SPANS : OTLP_SPANS;
  }

  /// When a batch's first span starts, ns since the Unix epoch.
  long startNs(Source source, int number) {
    return startNs + (number - 1) * source.step().toNanos();
  }

  /// The window of the recent tier that a batch is in: that of its last end.
  long window(Source source, int number) {
    SpanBatch batch = batch(source, number);
    long endNs = 0;
    for (int row = 0; row < batch.size(); row++) {
      endNs = Math.max(endNs, batch.startNs(row) + batch.durationNs(row));
    }
    return TimeUnit.NANOSECONDS.toSeconds(endNs) / WINDOW_SECONDS * WINDOW_SECONDS;
  }

  /// Adds what a batch's invocations are, by the minute.
  void addServed(Source source, int number, Map<Served, Sums> sums) {
    SpanBatch batch = batch(source, number);
    List<String> services = services(batch);
    int cpu = batch.table().intern("headspan.cpu_ns");
    for (int row = 0; row < batch.size(); row++) {
      if (batch.kind(row) != SERVER) {
        continue;
      }
      Served served =
          new Served(
              TimeUnit.NANOSECONDS.toMinutes(batch.startNs(row)) * 60,
              services.get(batch.scope(row)),
              batch.text(batch.name(row)),
              batch.statusCode(row));
      int attribute = batch.spanAttributes().find(row, cpu);
      var _ =
          sums.merge(
              served,
              new Sums(
                  1,
                  batch.durationNs(row),
                  batch.durationNs(row) / MS,
                  attribute < 0 ? 0 : batch.spanAttributes().value(attribute)),
              Sums::plus);
    }
  }

  /// By scope.
  private static List<String> services(SpanBatch batch) {
    List<String> services = new ArrayList<>();
    int key = batch.table().intern("service.name");
    for (int scope = 0; scope < batch.scopes(); scope++) {
      int row = batch.resourceAttributes().find(batch.scopeResource(scope), key);
      services.add(batch.text((int) batch.resourceAttributes().value(row)));
    }
    return services;
  }

  /// Batch `number` of a source, from 1.
  SpanBatch batch(Source source, int number) {
    return new Filling(source, number).fill();
  }

  private final class Filling {
    private final Source source;
    private final int number;
    private final SpanBatch.Builder batch;
    private final Attributes.Builder attributes;

    Filling(Source source, int number) {
      this.source = source;
      this.number = number;
      batch = new SpanBatch.Builder(spans(source));
      attributes = batch.spanAttributes();
    }

    SpanBatch fill() {
      int front = scope("front");
      int back = scope("back");
      for (int trace = 0; trace < TRACES; trace++) {
        long high = id(source.kind);
        long startNs = startNs(source, number) + 7L * trace * MS;
        String operation = "operation " + trace % OPERATIONS;
        int root = span(front, high, trace, 1, 0, SERVER, startNs, 20 + trace % 11, operation);
        cpu(root, trace);
        var _ = span(front, high, trace, 2, 1, CLIENT, startNs + 2 * MS, 12, "call");
        int served = span(back, high, trace, 3, 2, SERVER, startNs + 4 * MS, 5, operation);
        cpu(served, trace);
        if (trace % FAILS_EACH == 0) {
          batch.statusCode(served, ERROR);
        }
      }
      for (int trace = 0; source.isAgent() && trace < SHARED_TRACES; trace++) {
        long startNs = startNs(source, number) + 11L * trace * MS;
        if (source == Source.LEFT) {
          share(front, trace, startNs);
        } else {
          takeShare(back, trace, startNs);
        }
      }
      return batch.build();
    }

    private void share(int front, int trace, long startNs) {
      long high = id(SHARED_KIND);
      cpu(span(front, high, trace, 1, 0, SERVER, startNs, 40, "shared"), trace);
      var _ = span(front, high, trace, 2, 1, CLIENT, startNs + 3 * MS, 30, "call");
    }

    private void takeShare(int back, int trace, long startNs) {
      long high = id(SHARED_KIND);
      int served = span(back, high, trace, 3, 2, SERVER, startNs + 5 * MS, 20, "shared");
      cpu(served, trace);
      int inner = span(back, high, trace, 4, 3, INTERNAL, startNs + 6 * MS, 10, "inner");
      if (trace % SHARED_FAILS_EACH == 0) {
        batch.statusCode(inner, ERROR);
      }
    }

    private long id(int kind) {
      return (long) kind << 48 | number;
    }

    private int span(
        int scope,
        long traceIdHigh,
        int trace,
        long spanId,
        long parentSpanId,
        byte kind,
        long startNs,
        long durationMs,
        String name) {
      int row = batch.addSpan(scope);
      batch.traceIdHigh(row, traceIdHigh);
      batch.traceIdLow(row, 1 + trace);
      batch.spanId(row, spanId);
      batch.parentSpanId(row, parentSpanId);
      batch.kind(row, kind);
      batch.startNs(row, startNs);
      batch.durationNs(row, durationMs * MS);
      batch.name(row, batch.table().intern(name));
      return row;
    }

    private void cpu(int row, int trace) {
      if (source.isAgent()) {
        int key = batch.table().intern("headspan.cpu_ns");
        attributes.add(row, key, AttributeType.INT, (1 + trace % 3) * MS);
      }
    }

    private int scope(String part) {
      int resource = batch.addResource();
      resource(resource, "service.name", source.service(part));
      resource(resource, "service.version", "1");
      if (source.isAgent()) {
        resource(resource, "headspan.tenant", source.tenant());
        resource(resource, "headspan.runtime", "runc");
        resource(resource, "faas.instance", source.service(part) + "-0");
      }
      return batch.addScope(resource);
    }

    private void resource(int resource, String key, String value) {
      batch
          .resourceAttributes()
          .add(
              resource,
              batch.table().intern(key),
              AttributeType.STRING,
              batch.table().intern(value));
    }
  }

  /// Traffic whose windows are over whatever comes of it: it begins so long ago that it does not
  /// reach the present within `batches`.
  static ChaosTraffic endingBy(Instant now, int batches) {
    Instant start = now.minus(STEP.multipliedBy(batches)).minus(Duration.ofMinutes(10));
    return new ChaosTraffic(TimeUnit.SECONDS.toNanos(start.getEpochSecond()));
  }
}
