package io.headspan.collector.edge;

import io.headspan.collector.ingest.Omission;
import io.headspan.collector.ingest.Rejection;
import java.time.Duration;
import java.util.List;

/// What may be stored of a batch.
public sealed interface Admitted<T> {
  /// All of it but what is left out.
  ///
  /// @param message why the first of them was; "" if none was
  record Taken<T>(T batch, List<Omission> omitted, String message) implements Admitted<T> {
    public Taken {
      omitted = List.copyOf(omitted);
    }
  }

  /// Nothing.
  ///
  /// @param why what to tell the sender
  /// @param comeAgain when it may; zero if never
  record Refused<T>(Rejection reason, String why, Duration comeAgain) implements Admitted<T> {}
}
