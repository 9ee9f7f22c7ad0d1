package io.headspan.agent.invocation;

/// How much of an instance is watched.
public enum Watch {
  /// Its invocations and calls from its beginning: nothing of it can have been missed.
  WHOLE_LIFE,
  /// Its invocations and calls, but invocations on connections older than the agent are missing.
  SINCE_LATER,
  /// Only its invocations: no call of it will be reported.
  INVOCATIONS
}
