package io.headspan.query.traceql;

import java.util.List;

/// Stages from left to right; at least one.
public record Pipeline(Position at, List<Stage> stages) {
  public Pipeline {
    stages = List.copyOf(stages);
  }
}
