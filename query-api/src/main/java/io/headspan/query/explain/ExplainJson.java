package io.headspan.query.explain;

import com.fasterxml.jackson.core.JsonGenerator;
import io.headspan.query.traceql.TimeRange;
import java.io.IOException;
import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// An [Explanation] as JSON. The shape is documented in docs/explain.md and does not change; fields
/// may be added.
final class ExplainJson {
  private static final double NS_PER_MS = 1e6;

  private final JsonGenerator json;

  private ExplainJson(JsonGenerator json) {
    this.json = json;
  }

  static void write(Explanation explanation, JsonGenerator json) throws IOException {
    new ExplainJson(json).explanation(explanation);
  }

  private void explanation(Explanation explanation) throws IOException {
    json.writeStartObject();
    json.writeStringField("service", explanation.service());
    json.writeStringField("tenant", explanation.tenant());
    json.writeStringField("sentence", Sentence.of(explanation));
    verdict(explanation);
    json.writeObjectFieldStart("range");
    times(explanation.range());
    summary(explanation.now());
    json.writeNumberField("retriesPerInvocation", explanation.retries());
    json.writeEndObject();
    json.writeObjectFieldStart("baseline");
    json.writeStringField("kind", explanation.baseline().id());
    if (explanation.baseline() instanceof Baseline.OfVersion of) {
      json.writeStringField("version", of.version());
    }
    times(explanation.baseline().range());
    summary(explanation.before());
    json.writeNumberField("retriesPerInvocation", explanation.baselineRetries());
    json.writeEndObject();
    difference("p99", explanation.p99());
    difference("mean", explanation.mean());
    json.writeArrayFieldStart("counterfactuals");
    for (Counterfactual each : explanation.counterfactuals()) {
      counterfactual(each);
    }
    json.writeEndArray();
    json.writeArrayFieldStart("notes");
    for (String note : explanation.notes()) {
      json.writeString(note);
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private void verdict(Explanation explanation) throws IOException {
    json.writeObjectFieldStart("verdict");
    Optional<Counterfactual.Statistic> leading = explanation.leading();
    Optional<Component> first = explanation.verdict();
    String state;
    if (!explanation.mean().isEnough()) {
      state = "insufficient evidence";
    } else if (leading.isEmpty()) {
      state = "not slower";
    } else {
      state = first.isPresent() ? "explained" : "unexplained";
    }
    json.writeStringField("state", state);
    if (leading.isPresent()) {
      json.writeStringField("statistic", leading.get().id());
    }
    if (first.isPresent()) {
      cause(first.get().cause());
    }
    json.writeEndObject();
  }

  private void times(TimeRange range) throws IOException {
    json.writeStringField("from", time(range.fromNs()));
    json.writeStringField("to", time(range.toNs()));
  }

  static String time(long ns) {
    return Instant.ofEpochSecond(0, ns).toString();
  }

  private void summary(Summary summary) throws IOException {
    json.writeNumberField("invocations", summary.invocations());
    json.writeNumberField("measured", summary.measured());
    json.writeNumberField("errors", summary.errors());
    json.writeNumberField("coldStarts", summary.coldStarts());
    milliseconds("meanMs", summary.meanNs());
    milliseconds("p50Ms", summary.p50Ns());
    milliseconds("p95Ms", summary.p95Ns());
    milliseconds("p99Ms", summary.p99Ns());
    json.writeArrayFieldStart("versions");
    for (Summary.VersionCount version : summary.versions()) {
      json.writeStartObject();
      json.writeStringField("version", version.version());
      json.writeNumberField("invocations", version.invocations());
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private void difference(String name, Difference difference) throws IOException {
    json.writeObjectFieldStart(name);
    json.writeBooleanField("sufficient", difference.isEnough());
    json.writeNumberField("invocations", difference.nowCount());
    json.writeNumberField("baselineInvocations", difference.baselineCount());
    json.writeNumberField("needed", difference.fewest());
    if (difference.isEnough()) {
      amounts(difference.total());
      json.writeBooleanField("slower", difference.isSlower());
      json.writeArrayFieldStart("components");
      for (Component component : difference.components()) {
        component(difference, component);
      }
      json.writeEndArray();
      json.writeFieldName("residual");
      component(difference, difference.rest());
    }
    json.writeEndObject();
  }

  private void component(Difference difference, Component component) throws IOException {
    json.writeStartObject();
    cause(component.cause());
    amounts(component);
    if (difference.isSlower()) {
      json.writeNumberField("share", difference.share(component));
    }
    json.writeBooleanField("significant", component.isSignificant());
    json.writeArrayFieldStart("exemplars");
    for (String trace : component.exemplars()) {
      json.writeString(trace);
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private void cause(Cause cause) throws IOException {
    kind(cause);
    json.writeStringField("text", cause.text());
  }

  private void kind(Cause cause) throws IOException {
    json.writeStringField("kind", cause.kind().id());
    switch (cause.kind()) {
      case STOLEN -> json.writeStringField("culprit", cause.subject());
      case CALL, RETRY, FAILED -> {
        json.writeStringField("service", cause.subject());
        json.writeStringField("operation", cause.operation());
        if (!cause.error().isEmpty()) {
          json.writeStringField("error", cause.error());
        }
      }
      case VERSION -> json.writeStringField("version", cause.subject());
      case CPU, QUEUE, THROTTLED, BLOCKED, COLD_START, REST -> {}
    }
    @Nullable Cause within = cause.within();
    if (within != null) {
      json.writeObjectFieldStart("within");
      kind(within);
      json.writeEndObject();
    }
  }

  private void amounts(Component component) throws IOException {
    milliseconds("nowMs", component.nowNs());
    milliseconds("baselineMs", component.baselineNs());
    milliseconds("addedMs", component.addedNs());
    milliseconds("lowMs", component.lowNs());
    milliseconds("highMs", component.highNs());
  }

  private void counterfactual(Counterfactual each) throws IOException {
    json.writeStartObject();
    json.writeStringField("culprit", each.culprit());
    json.writeStringField("statistic", each.statistic().id());
    json.writeStringField("bound", each.bound().id());
    milliseconds("nowMs", each.nowNs());
    milliseconds("withoutMs", each.withoutNs());
    milliseconds("lowMs", each.lowNs());
    milliseconds("highMs", each.highNs());
    json.writeEndObject();
  }

  private void milliseconds(String field, double ns) throws IOException {
    json.writeNumberField(field, ns / NS_PER_MS);
  }
}
