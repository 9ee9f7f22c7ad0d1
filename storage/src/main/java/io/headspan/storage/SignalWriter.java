package io.headspan.storage;

import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToLongFunction;

/// Writes what agents tell about their nodes, a block for each report. Thread-safe.
final class SignalWriter {
  private final StoreClient client;

  SignalWriter(StoreClient client) {
    this.client = client;
  }

  void insert(NodeReport report, String deduplicationToken) {
    if (report.signal().size() == 0) {
      return;
    }
    NativeSink sink = new NativeSink();
    String table =
        switch (report.signal()) {
          case NodeSignal.Ledger(List<NodeSignal.Ledger.Entry> entries) -> {
            sink.beginBlock(9, entries.size());
            ofReport(sink, report);
            texts(sink, "tenant", entries, NodeSignal.Ledger.Entry::tenant);
            texts(sink, "state", entries, NodeSignal.Ledger.Entry::state);
            texts(sink, "reason", entries, NodeSignal.Ledger.Entry::reason);
            numbers(sink, "spans", entries, NodeSignal.Ledger.Entry::spans);
            yield "node_ledger";
          }
          case NodeSignal.Interference(List<NodeSignal.Interference.Cell> cells) -> {
            sink.beginBlock(10, cells.size());
            ofReport(sink, report);
            numbers(sink, "interval_ns", cells, _ -> report.intervalNs());
            texts(sink, "victim", cells, NodeSignal.Interference.Cell::victim);
            texts(sink, "culprit", cells, NodeSignal.Interference.Cell::culprit);
            numbers(sink, "wait_ns", cells, NodeSignal.Interference.Cell::waitNs);
            numbers(sink, "waits", cells, NodeSignal.Interference.Cell::waits);
            yield "interference_matrix";
          }
          case NodeSignal.Pressure(List<NodeSignal.Pressure.Stall> stalls) -> {
            sink.beginBlock(9, stalls.size());
            ofReport(sink, report);
            numbers(sink, "interval_ns", stalls, _ -> report.intervalNs());
            texts(sink, "resource", stalls, NodeSignal.Pressure.Stall::resource);
            numbers(sink, "some_ns", stalls, NodeSignal.Pressure.Stall::someNs);
            numbers(sink, "full_ns", stalls, NodeSignal.Pressure.Stall::fullNs);
            yield "node_pressure";
          }
        };
    insert(table, sink, deduplicationToken);
  }

  void insert(List<LeftOut> leftOut, String deduplicationToken) {
    if (leftOut.isEmpty()) {
      return;
    }
    NativeSink sink = new NativeSink();
    sink.beginBlock(7, leftOut.size());
    sink.beginColumn("time", "DateTime64(9, 'UTC')");
    for (LeftOut each : leftOut) {
      sink.putLong(each.timeNs());
    }
    texts(sink, "collector", leftOut, LeftOut::collector);
    texts(sink, "sender", leftOut, LeftOut::sender);
    texts(sink, "tenant", leftOut, LeftOut::tenant);
    texts(sink, "signal", leftOut, LeftOut::signal);
    texts(sink, "reason", leftOut, LeftOut::reason);
    numbers(sink, "records", leftOut, LeftOut::records);
    insert("collector_ledger", sink, deduplicationToken);
  }

  private void insert(String table, NativeSink sink, String deduplicationToken) {
    client.insert(
        table,
        sink,
        Map.of(
            "insert_deduplicate", "1",
            "insert_deduplication_token", deduplicationToken,
            "deduplicate_blocks_in_dependent_materialized_views", "1"));
  }

  /// The five columns that every table has.
  private static void ofReport(NativeSink sink, NodeReport report) {
    int rows = report.signal().size();
    sink.beginColumn("time", "DateTime64(9, 'UTC')");
    for (int row = 0; row < rows; row++) {
      sink.putLong(report.timeNs());
    }
    text(sink, "agent", report.agentId(), rows);
    text(sink, "boot", report.bootId(), rows);
    text(sink, "host", report.hostName(), rows);
    sink.beginColumn("sequence", "UInt64");
    for (int row = 0; row < rows; row++) {
      sink.putLong(report.sequence());
    }
  }

  private static void text(NativeSink sink, String name, String value, int rows) {
    sink.beginColumn(name, "String");
    for (int row = 0; row < rows; row++) {
      sink.putString(value);
    }
  }

  private static <T> void texts(
      NativeSink sink, String name, List<T> rows, Function<T, String> value) {
    sink.beginColumn(name, "String");
    rows.forEach(row -> sink.putString(value.apply(row)));
  }

  private static <T> void numbers(
      NativeSink sink, String name, List<T> rows, ToLongFunction<T> value) {
    sink.beginColumn(name, "UInt64");
    rows.forEach(row -> sink.putLong(value.applyAsLong(row)));
  }
}
