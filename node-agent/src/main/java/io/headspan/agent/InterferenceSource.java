package io.headspan.agent;

import io.headspan.agent.interference.MatrixSnapshot;
import io.headspan.agent.signal.SignalSource;
import io.headspan.wire.signal.NodeSignal;
import io.headspan.wire.signal.NodeSignal.Interference.Cell;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/// Tells what was added to the interference matrix since the last time. One thread.
final class InterferenceSource implements SignalSource {
  private final Supplier<MatrixSnapshot> matrix;
  private MatrixSnapshot told = MatrixSnapshot.EMPTY;

  /// @param matrix gives the matrix since the agent's start
  InterferenceSource(Supplier<MatrixSnapshot> matrix) {
    this.matrix = matrix;
  }

  @Override
  public Optional<NodeSignal> take() {
    MatrixSnapshot now = matrix.get();
    List<Cell> cells =
        now.since(told).cells().stream()
            .map(cell -> new Cell(cell.victim(), cell.culprit(), cell.waitNs(), cell.waits()))
            .toList();
    told = now;
    return cells.isEmpty() ? Optional.empty() : Optional.of(new NodeSignal.Interference(cells));
  }
}
