package io.headspan.collector.sampling;

import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// What the store's rollups say about operations, or versions, before a trace is decided: the ones
/// that a condition calls usual.
final class History {
  static final History NONE = new History(Map.of());

  /// An operation, or a version, of a tenant's service.
  record Name(String tenant, String service, String name) {}

  /// What is known of it.
  ///
  /// @param hash the store's of all three texts
  /// @param serviceHash the store's of tenant and service
  /// @param value what the condition asks for
  record Known(long hash, long serviceHash, long value) {}

  private record Service(String tenant, String name) {}

  private final Map<Name, Known> known;
  private final Set<Service> services = new HashSet<>();

  History(Map<Name, Known> known) {
    this.known = Map.copyOf(known);
    known.keySet().forEach(each -> services.add(new Service(each.tenant(), each.service())));
  }

  Optional<Known> find(Name name) {
    return Optional.ofNullable(known.get(name));
  }

  boolean hasService(String tenant, String service) {
    return services.contains(new Service(tenant, service));
  }

  Map<Name, Known> known() {
    return known;
  }
}
