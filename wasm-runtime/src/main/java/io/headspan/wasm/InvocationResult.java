package io.headspan.wasm;

import io.headspan.wasm.engine.TrapKind;
import io.headspan.wasm.host.GuestResponse;
import java.time.Duration;

/// How an invocation ended.
public sealed interface InvocationResult {
  /// The name in metrics.
  String outcome();

  /// What exactly, in metrics; "" if the outcome says all.
  default String reason() {
    return "";
  }

  /// The function answered; with what status is its own business.
  record Answered(GuestResponse response) implements InvocationResult {
    @Override
    public String outcome() {
      return "answered";
    }
  }

  /// The function exited with a code other than 0.
  record Exited(int code) implements InvocationResult {
    @Override
    public String outcome() {
      return "exit";
    }
  }

  /// The function did something that ended it.
  record Trapped(TrapKind kind, String message) implements InvocationResult {
    @Override
    public String outcome() {
      return "trap";
    }

    @Override
    public String reason() {
      return kind.label();
    }
  }

  /// The function ran longer than it may.
  record DeadlineExceeded(Duration deadline) implements InvocationResult {
    @Override
    public String outcome() {
      return "deadline";
    }
  }

  /// The function was not run.
  record Rejected(Rejection rejection) implements InvocationResult {
    @Override
    public String outcome() {
      return "rejected";
    }

    @Override
    public String reason() {
      return rejection.label();
    }
  }

  /// The caller went away, so the function was ended.
  record Cancelled() implements InvocationResult {
    @Override
    public String outcome() {
      return "cancelled";
    }
  }
}
