package io.headspan.agent;

import io.headspan.agent.export.SpanExporter;
import io.headspan.agent.http.CarriedContext;
import io.headspan.agent.http.UnreadableHead;
import io.headspan.agent.identity.IdentityOutcome;
import io.headspan.agent.invocation.MissingEvidence;
import io.headspan.agent.invocation.ParentEvidence;
import io.headspan.agent.ledger.DropReason;
import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.ledger.Tally;
import io.headspan.agent.probe.http.HttpCounter;
import io.headspan.agent.probe.http.HttpExchange.Role;
import io.headspan.agent.signal.SignalSender;
import io.headspan.agent.spool.Spool;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;

/// What the agent tells about itself, in Prometheus' words. What became of everything captured is
/// told by [LedgerMetrics].
final class AgentMetrics {
  private final MeterRegistry registry;

  private AgentMetrics(MeterRegistry registry) {
    this.registry = registry;
  }

  static void register(
      MeterRegistry registry,
      InvocationPipeline pipeline,
      Delivery delivery,
      ProbeCounters probes) {
    AgentMetrics metrics = new AgentMetrics(registry);
    metrics.pipeline(pipeline);
    metrics.exporter(delivery.exporter());
    metrics.ledger(delivery.ledger());
    metrics.signals(delivery.signals());
    delivery.exporter().spool().ifPresent(metrics::spool);
    metrics.probes(probes);
    new JvmMemoryMetrics().bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    new UptimeMetrics().bindTo(registry);
  }

  private void pipeline(InvocationPipeline pipeline) {
    tally(
        "captured.exchanges",
        "Exchanges captured",
        "role",
        pipeline.captured(),
        Role.values(),
        AgentMetrics::lowerCase);
    tally(
        "unreadable.heads",
        "Captured exchanges whose request could not be read",
        "reason",
        pipeline.unreadable(),
        UnreadableHead.values(),
        UnreadableHead::label);
    tally(
        "contexts",
        "Captured exchanges by whether their request carried a span context",
        "carried",
        pipeline.contexts(),
        CarriedContext.values(),
        AgentMetrics::lowerCase);
    tally(
        "parents",
        "Spans by what their parent rests on",
        "evidence",
        pipeline.correlator().evidence(),
        ParentEvidence.values(),
        ParentEvidence::label);
    tally(
        "parents.missing",
        "Spans whose parent is no better than their header, by why",
        "reason",
        pipeline.correlator().missing(),
        MissingEvidence.values(),
        MissingEvidence::label);
    tally(
        "identities",
        "Look-ups of instances by how they ended",
        "outcome",
        pipeline.identities().outcomes(),
        IdentityOutcome.values(),
        IdentityOutcome::label);
    counter(
        "operations.other",
        "Spans named {other}, their function having too many operations",
        pipeline,
        p -> p.batcher().unnamedOperations());
    gauge(
        "waiting.parent",
        "Exchanges waiting for evidence of their parent",
        pipeline,
        p -> p.correlator().waiting());
    gauge(
        "waiting.identity",
        "Exchanges waiting for who their instance is",
        pipeline,
        p -> p.identities().waiting());
    gauge(
        "remembered.exchanges",
        "Exchanges remembered for later ones",
        pipeline,
        p -> p.correlator().remembered());
    counter(
        "parents.forgotten",
        "Exchanges that were not remembered for as long as others may refer to them; too many",
        pipeline,
        p -> p.correlator().forgotten());
    gauge("batch.spans", "Spans in the batch being filled", pipeline, p -> p.batcher().size());
  }

  private void exporter(SpanExporter exporter) {
    counter(
        "exported.batches",
        "Batches that the collector acknowledged",
        exporter,
        SpanExporter::exportedBatches);
    counter(
        "sent.batches", "Batches sent, repetitions counted", exporter, SpanExporter::sentBatches);
    counter(
        "broken.streams",
        "Streams to the collector that broke",
        exporter,
        SpanExporter::brokenStreams);
    gauge("spool.batches", "Batches in the spool", exporter, SpanExporter::spooledBatches);
    counter(
        "spool.failures",
        "How often the spool could not be written",
        exporter,
        SpanExporter::spoolFailures);
    gauge("queue.spans", "Spans not acknowledged yet", exporter, SpanExporter::heldSpans);
    gauge("queue.batches", "Batches not acknowledged yet", exporter, SpanExporter::heldBatches);
    gauge("queue.bytes", "Memory of batches not acknowledged", exporter, SpanExporter::heldBytes);
  }

  private void ledger(Ledger ledger) {
    counter(
        "exported.spans", "Spans that the collector acknowledged", ledger, Ledger::acknowledged);
    for (DropReason reason : DropReason.values()) {
      FunctionCounter.builder(name("dropped.spans"), ledger, l -> l.dropped(reason))
          .description("What was captured and is in no span of the store, by why")
          .tag("reason", reason.label())
          .register(registry);
    }
  }

  private void signals(SignalSender signals) {
    counter(
        "signals.sent", "Reports about the node that the store has", signals, SignalSender::sent);
    counter(
        "signals.dropped",
        "Reports about the node that were given up",
        signals,
        SignalSender::dropped);
  }

  private void spool(Spool spool) {
    gauge("spool.bytes", "Bytes of the spool's segments", spool, Spool::sizeBytes);
    gauge("spool.segments", "Segments of the spool", spool, Spool::segments);
    counter(
        "spool.torn.bytes",
        "Bytes cut off when the spool was opened, being no whole records",
        spool,
        Spool::tornBytes);
  }

  private void probes(ProbeCounters probes) {
    for (HttpCounter counter : HttpCounter.values()) {
      FunctionCounter.builder(name("probe.http"), probes, p -> p.http(counter))
          .description("What the HTTP probe counts")
          .tag("counter", counter.label())
          .register(registry);
    }
    counter(
        "probe.lifecycle.dropped",
        "Events of processes and cgroups lost",
        probes,
        ProbeCounters::lifecycleDropped);
  }

  private <E extends Enum<E>> void tally(
      String name,
      String description,
      String tag,
      Tally<E> tally,
      E[] reasons,
      Function<E, String> label) {
    for (E reason : reasons) {
      FunctionCounter.builder(name(name), tally, t -> t.count(reason))
          .description(description)
          .tag(tag, label.apply(reason))
          .register(registry);
    }
  }

  private <T> void counter(String name, String description, T source, ToDoubleFunction<T> value) {
    FunctionCounter.builder(name(name), source, value).description(description).register(registry);
  }

  private <T> void gauge(String name, String description, T source, ToDoubleFunction<T> value) {
    Gauge.builder(name(name), source, value)
        .description(description)
        .strongReference(true)
        .register(registry);
  }

  private static String name(String name) {
    return "headspan.agent." + name;
  }

  private static String lowerCase(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }
}
