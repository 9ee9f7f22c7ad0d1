package io.headspan.collector.edge;

import io.headspan.collector.ingest.ListedRecords;
import io.headspan.collector.ingest.Omission;
import io.headspan.collector.ingest.Records;
import io.headspan.collector.ingest.Rejection;
import io.headspan.collector.ingest.SpanRecords;
import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/// Decides what of a decoded batch may be stored. Thread-safe.
///
/// What nobody may send is left out, and the rest of the batch is stored; if nothing is left of it,
/// the batch as a whole is refused, so that whoever set up the sender hears of it.
public final class Admission {
  private final Supplier<TenantRules> rules;
  private final Limiter limiter;

  /// Without limits.
  public Admission() {
    this(() -> TenantRules.NONE, System::nanoTime);
  }

  /// @param rules as they are at the time
  /// @param clock nanoseconds that never go back
  public Admission(Supplier<TenantRules> rules, LongSupplier clock) {
    this.rules = rules;
    limiter = new Limiter(clock);
  }

  /// What may be stored of spans.
  ///
  /// @param name the batch's deduplication token
  /// @param age how long ago it was made
  public Admitted<SpanBatch> spans(Sender sender, SpanBatch batch, String name, Duration age) {
    return admitted(
        sender, TenantCheck.spans(sender, batch), SpanRecords::new, batch.size(), name, age);
  }

  /// What may be stored of log records.
  ///
  /// @param name the batch's deduplication token
  /// @param age how long ago it was made
  public Admitted<LogBatch> logs(Sender sender, LogBatch batch, String name, Duration age) {
    return admitted(
        sender, TenantCheck.logs(sender, batch), ListedRecords::of, batch.size(), name, age);
  }

  /// What may be stored of data points.
  ///
  /// @param name the batch's deduplication token
  /// @param age how long ago it was made
  public Admitted<MetricBatch> points(Sender sender, MetricBatch batch, String name, Duration age) {
    return admitted(
        sender, TenantCheck.points(sender, batch), ListedRecords::of, batch.size(), name, age);
  }

  /// What may be stored of a report about a node: an agent that sends for some tenants tells about
  /// those, and about what is nobody's.
  public NodeReport report(Sender sender, NodeReport report) {
    if (sender.mayStateAny()) {
      return report;
    }
    return report.withSignal(
        switch (report.signal()) {
          case NodeSignal.Ledger(List<NodeSignal.Ledger.Entry> entries) ->
              new NodeSignal.Ledger(
                  entries.stream().filter(each -> sender.maySendFor(each.tenant())).toList());
          case NodeSignal.Interference(List<NodeSignal.Interference.Cell> cells) ->
              new NodeSignal.Interference(
                  cells.stream().filter(each -> sender.maySendFor(each.victim())).toList());
          case NodeSignal.Pressure pressure -> pressure;
        });
  }

  private <T> Admitted<T> admitted(
      Sender sender,
      TenantCheck.Checked<T> checked,
      Function<T, Records<T>> looking,
      int size,
      String name,
      Duration age) {
    if (checked.foreign() > 0 && checked.foreign() == size) {
      return new Admitted.Refused<>(Rejection.FOREIGN_TENANT, checked.message(), Duration.ZERO);
    }
    TenantRules current = rules.get();
    if (checked.foreign() == 0 && !current.hasLimits()) {
      return new Admitted.Taken<>(checked.batch(), List.of(), "");
    }
    Records<T> records = looking.apply(checked.batch());
    Admitted<T> limited =
        current.hasLimits()
            ? limiter.admit(current, sender, records, name, age)
            : new Admitted.Taken<>(checked.batch(), List.of(), "");
    if (checked.foreign() == 0 || !(limited instanceof Admitted.Taken<T> taken)) {
      return limited;
    }
    // Told of the one who sent it: what it claims to be is no reason to write it there.
    String tenant = sender.bound() ? sender.tenants().getFirst() : "";
    List<Omission> omitted = new ArrayList<>(taken.omitted());
    omitted.add(
        new Omission(
            sender.name(), tenant, records.kind(), Rejection.FOREIGN_TENANT, checked.foreign()));
    return new Admitted.Taken<>(taken.batch(), omitted, checked.message());
  }
}
