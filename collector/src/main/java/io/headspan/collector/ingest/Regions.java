package io.headspan.collector.ingest;

import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/// The stores of a collector, and which tenant is in which. Thread-safe.
public final class Regions {
  /// A batch's part for one region.
  ///
  /// @param token names the part in its store
  /// @param isWhole whether it is all of the batch
  record Part<T>(
      Region region, T batch, int size, String token, boolean isWhole, List<Omission> omitted) {}

  private final Region own;
  private final Map<String, Region> byName = new LinkedHashMap<>();
  private final UnaryOperator<String> regionOf;

  /// Nothing but the collector's own store.
  public static Regions of(Region only) {
    return new Regions(List.of(only), _ -> "");
  }

  /// @param regions the collector's own first
  /// @param regionOf the name of a tenant's region, "" for the collector's own
  public Regions(List<Region> regions, UnaryOperator<String> regionOf) {
    own = regions.getFirst();
    regions.forEach(each -> byName.put(each.name(), each));
    this.regionOf = regionOf;
  }

  /// All of them, the collector's own first.
  public List<Region> all() {
    return List.copyOf(byName.values());
  }

  /// Whether there is nothing but the collector's own store.
  boolean isOne() {
    return byName.size() == 1;
  }

  /// Whether the store of any region is there.
  boolean isAnyReady() {
    return byName.values().stream().anyMatch(region -> region.monitor().notReadyReason().isEmpty());
  }

  Region own() {
    return own;
  }

  private Region of(String tenant) {
    Region region = byName.get(regionOf.apply(tenant));
    return region == null ? own : region;
  }

  /// The parts of a batch, one for each region that has something of it; none of an empty batch.
  ///
  /// A part that is not the whole has a name of its own, made of the tenants in it: if a tenant
  /// moves to another region before its batch has come again, it is stored there, and is not taken
  /// for the part that the store already has.
  ///
  /// @param looking gives what tells whose the records are, which is asked for only where it
  ///   matters
  <T> List<Part<T>> split(
      Supplier<Records<T>> looking, T batch, int size, String token, List<Omission> omitted) {
    if (size == 0 && omitted.isEmpty()) {
      return List.of();
    }
    if (isOne()) {
      return List.of(new Part<>(own, batch, size, token, true, omitted));
    }
    Records<T> records = looking.get();
    List<Region> ofTenant = records.tenants().stream().map(this::of).toList();
    Map<Region, BitSet> spread = new LinkedHashMap<>();
    for (int i = 0; i < records.size(); i++) {
      spread.computeIfAbsent(ofTenant.get(records.tenant(i)), _ -> new BitSet()).set(i);
    }
    Map<Region, List<Omission>> omissions = new LinkedHashMap<>();
    for (Omission each : omitted) {
      omissions.computeIfAbsent(of(each.tenant()), _ -> new ArrayList<>()).add(each);
    }
    List<Part<T>> parts = new ArrayList<>();
    spread.forEach((region, members) -> {
      boolean isWhole = spread.size() == 1;
      List<Omission> here = omissions.remove(region);
      parts.add(
          new Part<>(
              region,
              isWhole ? batch : records.excerpt(members),
              members.cardinality(),
              isWhole ? token : token + partName(records, members),
              isWhole,
              here == null ? List.of() : here));
    });
    omissions.forEach(
        (region, here) -> parts.add(new Part<>(region, batch, 0, token, false, here)));
    return parts;
  }

  /// What is added to a batch's name for the part of it that is of the tenants of these records.
  static String partName(Records<?> records, BitSet members) {
    TreeSet<String> tenants = new TreeSet<>();
    members.stream().forEach(i -> tenants.add(records.tenants().get(records.tenant(i))));
    long hash = 0xcbf29ce484222325L;
    for (String tenant : tenants) {
      for (int i = 0; i <= tenant.length(); i++) {
        hash = (hash ^ (i < tenant.length() ? tenant.charAt(i) : 0xffff)) * 0x100000001b3L;
      }
    }
    return "/part/" + HexFormat.of().toHexDigits(hash);
  }

  /// The parts of a report about a node. What a tenant waited for is the tenant's, whoever it
  /// waited for; the pressure on a node is nobody's and stays in the collector's own region.
  List<Part<NodeReport>> split(NodeReport report, String token) {
    if (byName.size() == 1) {
      return List.of(new Part<>(own, report, report.signal().size(), token, true, List.of()));
    }
    return switch (report.signal()) {
      case NodeSignal.Ledger(List<NodeSignal.Ledger.Entry> entries) ->
          split(report, token, entries, NodeSignal.Ledger.Entry::tenant, NodeSignal.Ledger::new);
      case NodeSignal.Interference(List<NodeSignal.Interference.Cell> cells) ->
          split(
              report,
              token,
              cells,
              NodeSignal.Interference.Cell::victim,
              NodeSignal.Interference::new);
      case NodeSignal.Pressure pressure ->
          List.of(new Part<>(own, report, pressure.size(), token, true, List.of()));
    };
  }

  /// The rows of a report have no token of their own and are few: a part has its region's rows,
  /// under the report's token, which is as good in each store.
  private <R> List<Part<NodeReport>> split(
      NodeReport report,
      String token,
      List<R> rows,
      Function<R, String> tenant,
      Function<List<R>, NodeSignal> signal) {
    Map<Region, List<R>> spread = new LinkedHashMap<>();
    for (R row : rows) {
      spread.computeIfAbsent(of(tenant.apply(row)), _ -> new ArrayList<>()).add(row);
    }
    if (spread.size() <= 1) {
      Region region = spread.isEmpty() ? own : spread.keySet().iterator().next();
      return List.of(new Part<>(region, report, rows.size(), token, true, List.of()));
    }
    List<Part<NodeReport>> parts = new ArrayList<>();
    spread.forEach((region, here) ->
        parts.add(
            new Part<>(
                region,
                report.withSignal(signal.apply(here)),
                here.size(),
                token,
                false,
                List.of())));
    return parts;
  }

  /// Lets what is under way end, for at most `timeout` in all.
  void close(Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    for (Region each : all()) {
      each.close(Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
    }
  }
}
