package io.headspan.storage;

import static java.util.stream.Collectors.toSet;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Finds the spans of a trace that tell of the same thing: a function's own SDK sends a span for
/// each request it serves and each call it makes, and so does the agent that saw them in the
/// kernel.
///
/// The evidence: both requests carried the same context, both spans are of the same service of the
/// same tenant, and one lies within the other. An SDK that does not know its tenant may be of any.
///
/// - *A request served*: the SDK's span and the agent's name the same parent, the span id in the
///   request's header. The SDK's begins within the agent's, which begins when the first byte
///   arrives. Where the request carried nothing, the SDK began the trace, and the agent knows it
///   from a call that the function made: then the SDK's span has no parent, and the agent's none
///   that a header could name.
/// - *A call made*: the SDK's span id is the one in the header of the call that the agent saw. The
///   agent's lies within the SDK's.
///
/// Where more than two fit (a function that retries under one span, say), nothing is joined: all of
/// them stay. Of a pair, the SDK's span stands for both.
final class SdkSpans {
  /// How far the clocks of both may be apart, and how long after the last byte an SDK may take to
  /// end its span.
  private static final long SLACK_NS = TimeUnit.MILLISECONDS.toNanos(20);

  private static final int SERVER = 2;
  private static final int CLIENT = 3;

  /// A span of the trace.
  ///
  /// @param place where it is, for who asks
  /// @param captured whether an agent sent it
  /// @param tenant "" if it is not known
  /// @param headerParentId the span id in the request's header, if it is not `parentId`; else 0
  record Candidate<P>(
      P place,
      boolean captured,
      int kind,
      long spanId,
      long parentId,
      long headerParentId,
      String tenant,
      String service,
      long startNs,
      long endNs) {
    /// The span id that the request's header carried, as far as is known.
    long sentId() {
      return headerParentId == 0 ? parentId : headerParentId;
    }

    /// Whether the request carried no context, as far as is known. Ids of agents' spans are in no
    /// header: whoever has one as parent has it by other evidence.
    ///
    /// @param capturedIds of the spans of the trace that agents sent
    boolean carriedNothing(Set<Long> capturedIds) {
      return headerParentId == 0 && (parentId == 0 || capturedIds.contains(parentId));
    }
  }

  /// What becomes of a trace.
  ///
  /// @param joined the agent's span for each SDK's that stands for both
  /// @param ids the span ids that other spans name, and what they are to name instead
  record Joined<P>(Map<P, Candidate<P>> joined, Map<Long, Long> ids) {
    @Nullable Candidate<P> partner(P place) {
      return joined.get(place);
    }

    long id(long spanId) {
      return ids.getOrDefault(spanId, spanId);
    }

    /// Whether the span with this id is not to appear.
    boolean isReplaced(long spanId) {
      return ids.containsKey(spanId);
    }
  }

  private SdkSpans() {}

  /// Which spans are the same; `spans` are those of one trace, each id once.
  static <P> Joined<P> join(List<Candidate<P>> spans) {
    Map<Long, List<Candidate<P>>> served = new HashMap<>();
    Map<Long, List<Candidate<P>>> called = new HashMap<>();
    List<Candidate<P>> servedWithoutContext = new ArrayList<>();
    Set<Long> capturedIds =
        spans.stream().filter(Candidate::captured).map(Candidate::spanId).collect(toSet());
    boolean hasOthers = false;
    for (Candidate<P> span : spans) {
      hasOthers |= !span.captured();
      if (span.captured() && span.kind() == SERVER && span.carriedNothing(capturedIds)) {
        servedWithoutContext.add(span);
      }
      if (span.captured() && span.sentId() != 0) {
        switch (span.kind()) {
          case SERVER -> served.computeIfAbsent(span.sentId(), _ -> new ArrayList<>()).add(span);
          case CLIENT -> called.computeIfAbsent(span.sentId(), _ -> new ArrayList<>()).add(span);
          default -> {}
        }
      }
    }
    Joined<P> result = new Joined<>(new HashMap<>(), new HashMap<>());
    if (!hasOthers) {
      return result;
    }
    Set<Long> claimedTwice = new HashSet<>();
    for (Candidate<P> span : spans) {
      Candidate<P> partner =
          span.captured()
              ? null
              : switch (span.kind()) {
                case SERVER ->
                    only(
                        span.parentId() == 0 ? servedWithoutContext : served.get(span.parentId()),
                        span);
                case CLIENT -> only(called.get(span.spanId()), span);
                default -> null;
              };
      if (partner == null) {
        continue;
      }
      if (result.ids().containsKey(partner.spanId())) {
        claimedTwice.add(partner.spanId());
      } else {
        result.ids().put(partner.spanId(), span.spanId());
        result.joined().put(span.place(), partner);
      }
    }
    result.ids().keySet().removeAll(claimedTwice);
    result.joined().values().removeIf(partner -> claimedTwice.contains(partner.spanId()));
    return result;
  }

  private static <P> @Nullable Candidate<P> only(
      @Nullable List<Candidate<P>> captured, Candidate<P> span) {
    Candidate<P> found = null;
    if (captured != null) {
      for (Candidate<P> each : captured) {
        if (each.service().equals(span.service())
            && (span.tenant().isEmpty() || each.tenant().equals(span.tenant()))
            && fits(each, span)) {
          if (found != null) {
            return null;
          }
          found = each;
        }
      }
    }
    return found;
  }

  private static boolean fits(Candidate<?> captured, Candidate<?> span) {
    return captured.kind() == SERVER
        ? contains(captured, span.startNs()) && span.endNs() >= captured.startNs() - SLACK_NS
        : contains(span, captured.startNs()) && contains(span, captured.endNs());
  }

  private static boolean contains(Candidate<?> span, long timeNs) {
    return timeNs >= span.startNs() - SLACK_NS && timeNs <= span.endNs() + SLACK_NS;
  }
}
