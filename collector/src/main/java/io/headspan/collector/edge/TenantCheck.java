package io.headspan.collector.edge;

import io.headspan.collector.ingest.SpanRecords;
import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SignalOrigin;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.SpanExcerpt;
import io.headspan.wire.TypedAttribute;
import io.headspan.wire.TypedValue;
import io.headspan.wire.Utf8Table;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Holds what a batch says of tenants against what its sender may say: what a tenant's own program
/// leaves open is its tenant; what claims to be of another tenant is left out. Nothing is given to
/// a tenant that did not send it, and nothing is taken for a tenant's own that says it is
/// another's.
///
/// Attributes of spans and resources that only the platform measures are taken off what a program
/// sends.
@SuppressWarnings("ReferenceEquality") // a batch or origin that is as it was is the same object
final class TenantCheck {
  private static final String TENANT = SpanRecords.TENANT;

  private static final byte[] PLATFORM = "headspan.".getBytes(StandardCharsets.UTF_8);

  /// What a program may say of itself with a name of the platform's.
  private static final Set<String> ITS_OWN = Set.of(TENANT, "headspan.team");

  private static final int NAME_CHARS = 100;

  /// @param batch what is left
  /// @param foreign how many are not
  /// @param message why the first of them is not; "" if all are left
  record Checked<T>(T batch, int foreign, String message) {}

  private final Sender sender;
  private String message = "";

  private TenantCheck(Sender sender) {
    this.sender = sender;
  }

  static Checked<SpanBatch> spans(Sender sender, SpanBatch batch) {
    return new TenantCheck(sender).spans(batch);
  }

  static Checked<LogBatch> logs(Sender sender, LogBatch batch) {
    TenantCheck check = new TenantCheck(sender);
    List<LogBatch.Entry> left =
        check.records(batch.entries(), LogBatch.Entry::origin, LogBatch.Entry::withOrigin);
    return new Checked<>(
        left == batch.entries() ? batch : new LogBatch(left),
        batch.size() - left.size(),
        check.message);
  }

  static Checked<MetricBatch> points(Sender sender, MetricBatch batch) {
    TenantCheck check = new TenantCheck(sender);
    List<MetricBatch.Point> left =
        check.records(
            batch.points(),
            point -> point.metric().origin(),
            (point, origin) -> point.withMetric(point.metric().withOrigin(origin)));
    return new Checked<>(
        left == batch.points() ? batch : new MetricBatch(left),
        batch.size() - left.size(),
        check.message);
  }

  private Checked<SpanBatch> spans(SpanBatch batch) {
    if (sender.mayStateAny()) {
      return new Checked<>(batch, 0, "");
    }
    BitSet measured = sender.bound() ? measured(batch) : new BitSet();
    int resources = batch.resources();
    boolean[] foreign = new boolean[resources];
    boolean isAsSent = measured.isEmpty();
    @Nullable String[] tenants = new String[resources];
    for (int i = 0; i < resources; i++) {
      List<TypedValue> said = said(batch, i);
      Optional<String> tenant = tenant(said);
      foreign[i] = tenant.isEmpty();
      if (tenant.isPresent() && !isPlain(said, tenant.get())) {
        tenants[i] = tenant.get();
      }
      isAsSent &= tenant.isPresent() && tenants[i] == null;
    }
    if (isAsSent) {
      return new Checked<>(batch, 0, "");
    }
    BitSet left = new BitSet(batch.size());
    for (int span = 0; span < batch.size(); span++) {
      left.set(span, !foreign[batch.scopeResource(batch.scope(span))]);
    }
    int count = left.cardinality();
    return new Checked<>(
        SpanExcerpt.of(batch, left, TENANT, resource -> tenants[resource], measured),
        batch.size() - count,
        count < batch.size() ? message : "");
  }

  private <R> List<R> records(
      List<R> records,
      Function<R, SignalOrigin> origin,
      BiFunction<R, SignalOrigin, R> withOrigin) {
    if (sender.mayStateAny()) {
      return records;
    }
    IdentityHashMap<SignalOrigin, Optional<SignalOrigin>> checked = new IdentityHashMap<>();
    List<R> left = new ArrayList<>(records.size());
    boolean isAsSent = true;
    for (R each : records) {
      SignalOrigin said = origin.apply(each);
      Optional<SignalOrigin> allowed = checked.computeIfAbsent(said, this::allowed);
      if (allowed.isPresent()) {
        left.add(allowed.get() == said ? each : withOrigin.apply(each, allowed.get()));
      }
      isAsSent &= allowed.isPresent() && allowed.get() == said;
    }
    return isAsSent ? records : left;
  }

  /// The origin as it may be; empty if it may not.
  private Optional<SignalOrigin> allowed(SignalOrigin origin) {
    List<TypedValue> said =
        origin.resource().stream()
            .filter(each -> each.key().equals(TENANT))
            .map(TypedAttribute::value)
            .toList();
    return tenant(said)
        .map(tenant -> {
          if (isPlain(said, tenant)) {
            return origin;
          }
          List<TypedAttribute> resource = new ArrayList<>(origin.resource());
          resource.removeIf(each -> each.key().equals(TENANT));
          resource.add(new TypedAttribute(TENANT, new TypedValue(AttributeType.STRING, tenant)));
          return new SignalOrigin(
              resource,
              origin.resourceSchemaUrl(),
              origin.scopeName(),
              origin.scopeVersion(),
              origin.scope(),
              origin.scopeSchemaUrl());
        });
  }

  /// Whether it is said once, as text, or not at all where it need not be.
  private static boolean isPlain(List<TypedValue> said, String tenant) {
    return said.isEmpty()
        ? tenant.isEmpty()
        : said.size() == 1
            && said.getFirst().type() == AttributeType.STRING
            && said.getFirst().text().equals(tenant);
  }

  /// The keys of what only the platform measures: with them a program could pass for what an agent
  /// has seen, take an agent's place in a trace, or name a culprit.
  private static BitSet measured(SpanBatch batch) {
    Utf8Table table = batch.table();
    BitSet keys = new BitSet();
    for (int id = 0; id < table.size(); id++) {
      if (Arrays.equals(
              table.backing(),
              table.offset(id),
              table.offset(id) + Math.min(PLATFORM.length, table.length(id)),
              PLATFORM,
              0,
              PLATFORM.length)
          && !ITS_OWN.contains(batch.text(id))) {
        keys.set(id);
      }
    }
    return keys;
  }

  private static List<TypedValue> said(SpanBatch batch, int resource) {
    Attributes attributes = batch.resourceAttributes();
    List<TypedValue> said = new ArrayList<>(1);
    for (int row = attributes.begin(resource); row < attributes.end(resource); row++) {
      if (batch.text(attributes.key(row)).equals(TENANT)) {
        byte type = attributes.type(row);
        said.add(
            new TypedValue(
                type, type == AttributeType.STRING ? batch.text((int) attributes.value(row)) : ""));
      }
    }
    return said;
  }

  /// The tenant that a resource is of; empty if it may not be sent. A resource may say it several
  /// times, or as something else than text: all that it says has to be allowed.
  private Optional<String> tenant(List<TypedValue> said) {
    String tenant = "";
    for (TypedValue each : said) {
      String text = each.type() == AttributeType.STRING ? each.text() : "";
      if (!text.isEmpty() && !sender.tenants().contains(text)) {
        refuse("the token is not good for this tenant: tenant=" + shortened(text));
        return Optional.empty();
      }
      if (tenant.isEmpty()) {
        tenant = text;
      } else if (!text.isEmpty() && !text.equals(tenant)) {
        refuse("a resource of two tenants: attribute=" + TENANT);
        return Optional.empty();
      }
    }
    if (tenant.isEmpty() && sender.bound()) {
      if (sender.tenants().size() > 1) {
        refuse(
            "the token is good for several tenants and the resource does not say which:"
                + " attribute="
                + TENANT);
        return Optional.empty();
      }
      tenant = sender.tenants().getFirst();
    }
    return Optional.of(tenant);
  }

  private void refuse(String why) {
    message = message.isEmpty() ? why + ", token=" + sender.name() : message;
  }

  private static String shortened(String text) {
    return text.length() <= NAME_CHARS ? text : text.substring(0, NAME_CHARS) + "…";
  }
}
