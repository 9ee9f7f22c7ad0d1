package io.headspan.wire.signal;

import java.util.List;

/// What a report is about.
public sealed interface NodeSignal {
  /// Number of rows.
  int size();

  /// What became of the spans of one start of an agent, from its start to the report's time: for
  /// each tenant, captured + recovered = acknowledged + in_memory + spooled + dropped.
  record Ledger(List<Entry> entries) implements NodeSignal {
    public Ledger {
      entries = List.copyOf(entries);
    }

    @Override
    public int size() {
      return entries.size();
    }

    /// Spans of one tenant in one state.
    ///
    /// @param tenant empty for none
    /// @param state `captured`, `recovered`, `acknowledged`, `in_memory`, `spooled`, `dropped`; and
    ///   `pending` for what has no tenant yet and is not captured in these books
    /// @param reason why they were dropped; empty for other states
    /// @param spans how many
    public record Entry(String tenant, String state, String reason, long spans) {}
  }

  /// How long threads of one tenant waited in the report's interval, and who had the CPU meanwhile:
  /// another tenant, the same one, or nobody.
  record Interference(List<Cell> cells) implements NodeSignal {
    /// In place of a culprit: the CPU was idle, on its way to wake up.
    public static final String IDLE = "{idle}";

    public Interference {
      cells = List.copyOf(cells);
    }

    @Override
    public int size() {
      return cells.size();
    }

    /// Whether such a wait is somebody else's doing: own load is not, nor is an idle CPU.
    public static boolean isTaken(String victim, String culprit) {
      return !culprit.equals(victim) && !culprit.equals(IDLE);
    }

    /// Why a wait that is not [#isTaken] was waited, as metrics label it.
    public static String ownReason(String victim, String culprit) {
      return culprit.equals(victim) ? "own_load" : "idle";
    }

    /// One pair.
    ///
    /// @param victim the tenant that waited; empty for none
    /// @param culprit the tenant that ran meanwhile; empty for none, [#IDLE] if nobody did
    /// @param waitNs time waited
    /// @param waits how often
    public record Cell(String victim, String culprit, long waitNs, long waits) {}
  }

  /// For how much of the report's interval work on the node stood still, after the kernel's
  /// pressure stall information.
  record Pressure(List<Stall> stalls) implements NodeSignal {
    public Pressure {
      stalls = List.copyOf(stalls);
    }

    @Override
    public int size() {
      return stalls.size();
    }

    /// The stalls for one resource.
    ///
    /// @param resource `cpu`, `memory` or `io`
    /// @param someNs time in which some tasks waited for it
    /// @param fullNs time in which all that could have run did
    public record Stall(String resource, long someNs, long fullNs) {}
  }
}
