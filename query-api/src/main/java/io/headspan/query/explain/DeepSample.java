package io.headspan.query.explain;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Some invocations of a function, with those that they waited for, and those that these waited
/// for. Invocations that were called by the same way play the same role and are compared with each
/// other: what is usual for one is what is usual for its role.
///
/// @param roles the invocations by the calls that lead to them; the function's own have no call
/// @param links of each invocation of a role, in the order of its sample
record DeepSample(Map<List<Cause>, Sample> roles, Map<List<Cause>, List<List<Link>>> links) {
  /// The role of the function's own invocations.
  static final List<Cause> OWN = List.of();

  private static final Sample NONE = new Sample(List.of(), List.of());

  /// Where a called invocation is: at `index` of the role that follows by `call`.
  ///
  /// @param factor as [Account.Branch] has it
  private record Link(Cause call, int index, double factor) {}

  /// Something to do with the invocations of a role.
  @FunctionalInterface
  interface Change {
    Sample apply(List<Cause> role, Sample sample);
  }

  static DeepSample of(List<Invocation> invocations) {
    Map<List<Cause>, Sample> roles = new HashMap<>();
    Map<List<Cause>, List<List<Link>>> links = new HashMap<>();
    for (Invocation invocation : invocations) {
      add(invocation, OWN, roles, links);
    }
    return new DeepSample(roles, links);
  }

  /// Calls itself once for each call on the way, of which [InvocationReader] reads a few.
  private static int add(
      Invocation invocation,
      List<Cause> role,
      Map<List<Cause>, Sample> roles,
      Map<List<Cause>, List<List<Link>>> links) {
    Account account = Account.of(invocation);
    List<Link> called = new ArrayList<>();
    for (Account.Branch branch : account.branches()) {
      int index = add(branch.callee(), following(role, branch.cause()), roles, links);
      called.add(new Link(branch.cause(), index, branch.factor()));
    }
    Sample sample =
        roles.computeIfAbsent(role, _ -> new Sample(new ArrayList<>(), new ArrayList<>()));
    sample.invocations().add(invocation);
    sample.accounts().add(account.causes());
    links.computeIfAbsent(role, _ -> new ArrayList<>()).add(called);
    return sample.size() - 1;
  }

  private static List<Cause> following(List<Cause> role, Cause call) {
    List<Cause> following = new ArrayList<>(role);
    following.add(call);
    return List.copyOf(following);
  }

  Set<List<Cause>> names() {
    return roles.keySet();
  }

  /// The invocations of a role, each with the account of its own doing.
  Sample role(List<Cause> role) {
    return roles.getOrDefault(role, NONE);
  }

  /// The same, with each role changed.
  DeepSample map(Change change) {
    Map<List<Cause>, Sample> changed = new HashMap<>();
    roles.forEach((role, sample) -> changed.put(role, change.apply(role, sample)));
    return new DeepSample(changed, links);
  }

  /// The function's own invocations; what they waited for is in their accounts, as far as it is
  /// known.
  Sample whole() {
    Sample own = role(OWN);
    List<Map<Cause, Double>> accounts = new ArrayList<>(own.size());
    for (int i = 0; i < own.size(); i++) {
      accounts.add(whole(OWN, i));
    }
    return new Sample(own.invocations(), accounts);
  }

  private Map<Cause, Double> whole(List<Cause> role, int index) {
    Map<Cause, Double> account = new HashMap<>(role(role).accounts().get(index));
    for (Link link : links.getOrDefault(role, List.of()).get(index)) {
      whole(following(role, link.call()), link.index())
          .forEach((cause, ns) ->
              account.merge(link.call().through(cause), ns * link.factor(), Double::sum));
    }
    return account;
  }
}
