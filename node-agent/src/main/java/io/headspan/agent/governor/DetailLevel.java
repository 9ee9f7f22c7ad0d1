package io.headspan.agent.governor;

/// How much detail the agent gives, from all it can to the least. Each level goes without what the
/// levels before go without.
public enum DetailLevel {
  /// Everything.
  FULL(0, 1, "everything is captured"),
  /// Without the time accounts of invocations.
  NO_TIME_ACCOUNTS(1, 1, "time accounts of invocations are off until there is room for them again"),
  /// Without spans of calls out of containers.
  NO_CALLS(2, 1, "calls out of containers are no spans; whose call led to what still counts"),
  /// Every fourth invocation.
  SAMPLED_4(3, 4, "three of four invocations are no spans; they are counted as dropped"),
  /// Every sixteenth invocation.
  SAMPLED_16(4, 16, "fifteen of sixteen invocations are no spans; they are counted as dropped");

  private final int number;
  private final int oneOf;
  private final String cost;

  DetailLevel(int number, int oneOf, String cost) {
    this.number = number;
    this.oneOf = oneOf;
    this.cost = cost;
  }

  /// 0 for full detail, more for less.
  public int number() {
    return number;
  }

  /// Of how many invocations one is to be a span.
  public int oneOf() {
    return oneOf;
  }

  /// What this costs the user.
  public String cost() {
    return cost;
  }

  public boolean hasTimeAccounts() {
    return number < NO_TIME_ACCOUNTS.number;
  }

  public boolean hasCalls() {
    return number < NO_CALLS.number;
  }

  DetailLevel lower() {
    return switch (this) {
      case FULL -> NO_TIME_ACCOUNTS;
      case NO_TIME_ACCOUNTS -> NO_CALLS;
      case NO_CALLS -> SAMPLED_4;
      case SAMPLED_4, SAMPLED_16 -> SAMPLED_16;
    };
  }

  DetailLevel higher() {
    return switch (this) {
      case FULL, NO_TIME_ACCOUNTS -> FULL;
      case NO_CALLS -> NO_TIME_ACCOUNTS;
      case SAMPLED_4 -> NO_CALLS;
      case SAMPLED_16 -> SAMPLED_4;
    };
  }
}
