package io.headspan.agent.doctor;

import org.jspecify.annotations.Nullable;

/// One thing that was looked at.
///
/// @param id stable name, for programs that read the report
/// @param status how it is
/// @param what is there or not
/// @param cost what the user goes without; null if nothing
/// @param remedy what to do about it; null if nothing has to be done
public record Finding(
    String id, Status status, String what, @Nullable String cost, @Nullable String remedy) {
  /// How things are.
  public enum Status {
    /// As it should be.
    OK,
    /// Nothing that is missed: a platform that this machine does not have.
    ABSENT,
    /// Off; the agent works without it.
    OFF,
    /// The agent cannot work without it.
    MISSING,
    /// Left by an agent or executor that was killed.
    LEFTOVER
  }

  static Finding ok(String id, String what) {
    return new Finding(id, Status.OK, what, null, null);
  }

  static Finding absent(String id, String what) {
    return new Finding(id, Status.ABSENT, what, null, null);
  }

  static Finding off(String id, String what, String cost, @Nullable String remedy) {
    return new Finding(id, Status.OFF, what, cost, remedy);
  }

  static Finding missing(String id, String what, String remedy) {
    return new Finding(id, Status.MISSING, what, "nothing is captured", remedy);
  }
}
