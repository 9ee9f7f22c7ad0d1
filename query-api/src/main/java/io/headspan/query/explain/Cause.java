package io.headspan.query.explain;

/// What a part of an invocation's time went to.
///
/// @param kind of which kind
/// @param subject who: the culprit, the called service, the version; "" where the kind says all
/// @param operation which operation of the called service; "" for other kinds
record Cause(Kind kind, String subject, String operation) {
  static final Cause CPU = new Cause(Kind.CPU, "", "");
  static final Cause QUEUE = new Cause(Kind.QUEUE, "", "");
  static final Cause THROTTLED = new Cause(Kind.THROTTLED, "", "");
  static final Cause BLOCKED = new Cause(Kind.BLOCKED, "", "");
  static final Cause COLD_START = new Cause(Kind.COLD_START, "", "");

  /// What no other cause accounts for.
  static final Cause REST = new Cause(Kind.REST, "", "");

  enum Kind {
    CPU("cpu"),
    QUEUE("queue"),
    STOLEN("stolen"),
    THROTTLED("throttled"),
    BLOCKED("blocked"),
    COLD_START("cold-start"),
    CALL("call"),
    RETRY("retry"),
    VERSION("version"),
    REST("rest");

    private final String id;

    Kind(String id) {
      this.id = id;
    }

    /// Its name in answers, which does not change.
    String id() {
      return id;
    }
  }

  static Cause stolen(String culprit) {
    return new Cause(Kind.STOLEN, culprit, "");
  }

  static Cause call(Call call) {
    return new Cause(Kind.CALL, call.service(), call.operation());
  }

  static Cause retry(Call call) {
    return new Cause(Kind.RETRY, call.service(), call.operation());
  }

  static Cause version(String version) {
    return new Cause(Kind.VERSION, version, "");
  }

  /// What it is, in words that end a sentence: "most of it is …".
  String text() {
    return switch (kind) {
      case CPU -> "its own CPU time";
      case QUEUE -> "queueing before a thread took the request";
      case STOLEN -> "CPU time taken by " + culprit();
      case THROTTLED -> "throttling by its own CPU quota";
      case BLOCKED -> "waiting (sleep, locks, disk) outside of calls";
      case COLD_START -> "cold starts";
      case CALL -> "calls to " + callee();
      case RETRY -> "failed calls to " + callee() + " that were repeated";
      case VERSION -> "version " + subject + ", whose code takes longer";
      case REST -> "unexplained";
    };
  }

  /// The culprit as a person would name it.
  String culprit() {
    return switch (subject) {
      case "{host}" -> "processes of the host";
      case "{kernel}" -> "kernel threads";
      case "{untenanted}" -> "containers without a tenant";
      case "{unknown}", "" -> "somebody unknown";
      default -> "tenant " + subject;
    };
  }

  private String callee() {
    return operation.isEmpty() ? subject : subject + " (" + operation + ")";
  }
}
