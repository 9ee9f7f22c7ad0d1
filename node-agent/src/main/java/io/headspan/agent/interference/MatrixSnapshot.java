package io.headspan.agent.interference;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Who waited for whom, since the probe was loaded or since an earlier snapshot: for each pair of
/// tenants the time that threads of the one were runnable while threads of the other had their CPU.
/// Victim and culprit are the same where a tenant's threads waited for each other.
///
/// @param timeNs when it was read, CLOCK_MONOTONIC
/// @param cells one for each pair that ever met, in no order
public record MatrixSnapshot(long timeNs, List<Cell> cells) {
  /// What there is before anything was read.
  public static final MatrixSnapshot EMPTY = new MatrixSnapshot(0, List.of());

  public MatrixSnapshot {
    cells = List.copyOf(cells);
  }

  /// One pair.
  ///
  /// @param victim tenant that waited, or a pseudo-tenant in braces
  /// @param culprit tenant that had the CPU, or a pseudo-tenant in braces; `{idle}` if nobody had
  /// @param waitNs how long
  /// @param waits how many stretches of waiting
  public record Cell(String victim, String culprit, long waitNs, long waits) {}

  private record Pair(String victim, String culprit) {
    static Pair of(Cell cell) {
      return new Pair(cell.victim(), cell.culprit());
    }
  }

  /// What was added since `earlier`; pairs without anything new are left out.
  ///
  /// @param earlier a snapshot of the same probe
  public MatrixSnapshot since(MatrixSnapshot earlier) {
    Map<Pair, Cell> before = new HashMap<>();
    earlier.cells.forEach(cell -> before.put(Pair.of(cell), cell));
    List<Cell> added = new ArrayList<>();
    for (Cell cell : cells) {
      Cell old = before.get(Pair.of(cell));
      if (old == null) {
        added.add(cell);
      } else if (cell.waits() != old.waits() || cell.waitNs() != old.waitNs()) {
        added.add(
            new Cell(
                cell.victim(),
                cell.culprit(),
                cell.waitNs() - old.waitNs(),
                cell.waits() - old.waits()));
      }
    }
    return new MatrixSnapshot(timeNs, added);
  }

  /// What there is when `more` is added.
  MatrixSnapshot plus(long timeNs, List<Cell> more) {
    if (cells.isEmpty()) {
      return new MatrixSnapshot(timeNs, more);
    }
    Map<Pair, Cell> sums = new LinkedHashMap<>();
    cells.forEach(cell -> sums.put(Pair.of(cell), cell));
    for (Cell cell : more) {
      sums.merge(
          Pair.of(cell),
          cell,
          (one, other) ->
              new Cell(
                  one.victim(),
                  one.culprit(),
                  one.waitNs() + other.waitNs(),
                  one.waits() + other.waits()));
    }
    return new MatrixSnapshot(timeNs, List.copyOf(sums.values()));
  }

  /// How long `victim` waited for `culprit`; 0 if never.
  public long waitNs(String victim, String culprit) {
    return cells.stream()
        .filter(cell -> cell.victim().equals(victim) && cell.culprit().equals(culprit))
        .mapToLong(Cell::waitNs)
        .sum();
  }
}
