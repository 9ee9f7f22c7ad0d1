package io.headspan.collector.edge;

import io.headspan.collector.ingest.Omission;
import io.headspan.collector.ingest.Rejection;
import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import java.time.Duration;
import java.util.List;
import java.util.function.ToIntFunction;

/// Decides what of a decoded batch may be stored. Thread-safe.
///
/// What nobody may send is left out, and the rest of the batch is stored; if nothing is left of it,
/// the batch as a whole is refused, so that whoever set up the sender hears of it.
public final class Admission {
  /// What may be stored of spans.
  public Admitted<SpanBatch> spans(Sender sender, SpanBatch batch) {
    return admitted(sender, Omission.Kind.SPANS, TenantCheck.spans(sender, batch), SpanBatch::size);
  }

  /// What may be stored of log records.
  public Admitted<LogBatch> logs(Sender sender, LogBatch batch) {
    return admitted(
        sender, Omission.Kind.LOG_RECORDS, TenantCheck.logs(sender, batch), LogBatch::size);
  }

  /// What may be stored of data points.
  public Admitted<MetricBatch> points(Sender sender, MetricBatch batch) {
    return admitted(
        sender, Omission.Kind.DATA_POINTS, TenantCheck.points(sender, batch), MetricBatch::size);
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

  private static <T> Admitted<T> admitted(
      Sender sender, Omission.Kind kind, TenantCheck.Checked<T> checked, ToIntFunction<T> size) {
    if (checked.foreign() == 0) {
      return new Admitted.Taken<>(checked.batch(), List.of(), "");
    }
    if (size.applyAsInt(checked.batch()) == 0) {
      return new Admitted.Refused<>(Rejection.FOREIGN_TENANT, checked.message(), Duration.ZERO);
    }
    // Told of the one who sent it: what it claims to be is no reason to write it there.
    String tenant = sender.bound() ? sender.tenants().getFirst() : "";
    return new Admitted.Taken<>(
        checked.batch(),
        List.of(new Omission(tenant, kind, Rejection.FOREIGN_TENANT, checked.foreign())),
        checked.message());
  }
}
