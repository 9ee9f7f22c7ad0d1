package io.headspan.query.explain;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a part of an invocation's time went to.
///
/// @param kind of which kind
/// @param subject who: the culprit, the called service, the version; "" where the kind says all
/// @param operation which operation of the called service; "" for other kinds
/// @param error with which type of error a call failed; "" for other kinds
/// @param within what the time of a call went to at its callee; null where nothing more is known
record Cause(Kind kind, String subject, String operation, String error, @Nullable Cause within) {
  static final Cause CPU = of(Kind.CPU, "");
  static final Cause QUEUE = of(Kind.QUEUE, "");
  static final Cause THROTTLED = of(Kind.THROTTLED, "");
  static final Cause BLOCKED = of(Kind.BLOCKED, "");
  static final Cause COLD_START = of(Kind.COLD_START, "");

  /// What no other cause accounts for.
  static final Cause REST = of(Kind.REST, "");

  /// Those that took less of an invocation's stolen time than its culprit.
  private static final String OTHERS = "{others}";

  enum Kind {
    CPU("cpu"),
    QUEUE("queue"),
    STOLEN("stolen"),
    THROTTLED("throttled"),
    BLOCKED("blocked"),
    COLD_START("cold-start"),
    CALL("call"),
    RETRY("retry"),
    FAILED("failed-call"),
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

  private static Cause of(Kind kind, String subject) {
    return new Cause(kind, subject, "", "", null);
  }

  static Cause stolen(String culprit) {
    return of(Kind.STOLEN, culprit);
  }

  static Cause stolenByOthers() {
    return stolen(OTHERS);
  }

  static Cause call(Call call) {
    return new Cause(Kind.CALL, call.service(), call.operation(), "", null);
  }

  static Cause retry(Call call) {
    return new Cause(Kind.RETRY, call.service(), call.operation(), call.error(), null);
  }

  static Cause failed(Call call) {
    return new Cause(Kind.FAILED, call.service(), call.operation(), call.error(), null);
  }

  static Cause version(String version) {
    return of(Kind.VERSION, version);
  }

  /// This call, for what it waited for at its callee. What the callee cannot account for is the
  /// call's, and all of a failed call is the failure's, unless that was a failed call too.
  Cause through(Cause atCallee) {
    if (atCallee.kind == Kind.REST || (isFailure() && !atCallee.last().isFailure())) {
      return this;
    }
    return new Cause(kind, subject, operation, error, atCallee);
  }

  /// Of a call, all calls of its kind to the same service.
  Cause ofService() {
    return of(kind, subject);
  }

  private boolean isFailure() {
    return kind == Kind.FAILED || kind == Kind.RETRY;
  }

  /// What it was where the calls end.
  private Cause last() {
    Cause last = this;
    while (last.within != null) {
      last = last.within;
    }
    return last;
  }

  /// What it is, in words that end a sentence: "most of it is …".
  String text() {
    List<String> way = new ArrayList<>();
    Cause last = this;
    while (last.within != null) {
      way.add(last.callee());
      last = last.within;
    }
    if (way.isEmpty()) {
      return alone();
    }
    String place = way.removeLast();
    return last.at(place) + (way.isEmpty() ? "" : ", through " + String.join(" and ", way));
  }

  private String alone() {
    return switch (kind) {
      case CPU -> "its own CPU time";
      case QUEUE -> "queueing before a thread took the request";
      case STOLEN -> "CPU time taken by " + culprit();
      case THROTTLED -> "throttling by its own CPU quota";
      case BLOCKED -> "waiting (sleep, locks, disk) outside of calls";
      case COLD_START -> "cold starts";
      case CALL -> "calls to " + callee();
      case RETRY -> "failed calls to " + callee() + " that were repeated" + type();
      case FAILED -> "failed calls to " + callee() + type();
      case VERSION -> "version " + subject + ", whose code takes longer";
      case REST -> "unexplained";
    };
  }

  /// The same at somebody who was called.
  private String at(String place) {
    return switch (kind) {
      case CPU -> "CPU time of " + place;
      case QUEUE -> "queueing at " + place + " before a thread took the request";
      case STOLEN -> "CPU time taken from " + place + " by " + culprit();
      case THROTTLED -> "throttling of " + place + " by its own CPU quota";
      case BLOCKED -> "waiting (sleep, locks, disk) of " + place + " outside of calls";
      case COLD_START -> "cold starts of " + place;
      case CALL -> "calls from " + place + " to " + callee();
      case RETRY ->
          "failed calls from " + place + " to " + callee() + " that were repeated" + type();
      case FAILED -> "failed calls from " + place + " to " + callee() + type();
      case VERSION -> "version " + subject + " of " + place + ", whose code takes longer";
      case REST -> "unexplained time of " + place;
    };
  }

  /// The culprit as a person would name it.
  String culprit() {
    return switch (subject) {
      case "{host}" -> "processes of the host";
      case "{kernel}" -> "kernel threads";
      case "{untenanted}" -> "containers without a tenant";
      case "{unknown}", "" -> "somebody unknown";
      case OTHERS -> "others than who took most";
      default -> "tenant " + subject;
    };
  }

  private String callee() {
    return operation.isEmpty() ? subject : subject + " (" + operation + ")";
  }

  private String type() {
    return error.isEmpty() ? "" : ": " + error;
  }
}
