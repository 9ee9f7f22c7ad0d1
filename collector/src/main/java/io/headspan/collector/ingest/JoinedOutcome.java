package io.headspan.collector.ingest;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// The outcome of a batch from those of its parts. Thread-safe.
final class JoinedOutcome {
  private final Consumer<InsertOutcome> whenDone;
  private final List<InsertOutcome> outcomes = new ArrayList<>();
  private final int parts;

  /// @param whenDone is told once, when all parts are done
  JoinedOutcome(int parts, Consumer<InsertOutcome> whenDone) {
    this.parts = parts;
    this.whenDone = whenDone;
  }

  void add(InsertOutcome outcome) {
    synchronized (outcomes) {
      outcomes.add(outcome);
      if (outcomes.size() < parts) {
        return;
      }
    }
    whenDone.accept(joined());
  }

  /// What has to come again has to come again as a whole, whatever became of the rest: what is
  /// stored is stored once.
  private InsertOutcome joined() {
    InsertOutcome joined = new InsertOutcome.Stored();
    for (InsertOutcome each : outcomes) {
      switch (each) {
        case InsertOutcome.Stored() -> {}
        case InsertOutcome.Unavailable _, InsertOutcome.RegionAway _ -> joined = each;
        case InsertOutcome.Rejected _ -> {
          if (joined instanceof InsertOutcome.Stored) {
            joined = each;
          }
        }
      }
    }
    return joined;
  }
}
