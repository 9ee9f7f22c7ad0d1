package io.headspan.agent.invocation;

import static io.headspan.agent.invocation.Exchanges.call;
import static io.headspan.agent.invocation.Exchanges.client;
import static io.headspan.agent.invocation.Exchanges.context;
import static io.headspan.agent.invocation.Exchanges.head;
import static io.headspan.agent.invocation.Exchanges.invocation;
import static io.headspan.agent.invocation.Exchanges.stillOpen;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.http.CarriedContext;
import io.headspan.agent.http.RequestHead;
import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.wire.TraceContext;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Times in microseconds from 0; the wait is 10 s.
class CorrelatorTest {
  private static final InetSocketAddress OUTSIDE = client(99, 5000);
  private static final TraceContext FROM_USER = context(0x7a, 0xc1);
  private static final TraceContext FROM_SDK = context(0x7b, 0x5d);
  private static final int A = 1;
  private static final int B = 2;
  private static final int C = 3;

  private final List<TracedExchange> spans = new ArrayList<>();
  private Correlator correlator = correlator(CorrelationLimits.DEFAULT);
  private long nowNs;

  @Test
  void takesTheWordOfTheHeaderForAnInvocationFromElsewhere() {
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    TracedExchange span = only();
    assertThat(span.traceIdLow()).isEqualTo(0x7a);
    assertThat(span.parentSpanId()).isEqualTo(0xc1);
    assertThat(span.headerParentSpanId()).isEqualTo(0xc1);
    assertThat(span.evidence()).isEqualTo(ParentEvidence.HEADER);
    assertThat(span.flags()).isEqualTo((byte) 1);
  }

  @Test
  void startsATraceForAnInvocationWithoutContext() {
    report(served(A, OUTSIDE, 1, 0, 100), head(CarriedContext.NONE));
    report(served(A, OUTSIDE, 2, 200, 300), head(CarriedContext.INVALID));
    assertThat(spans).hasSize(2);
    for (TracedExchange span : spans) {
      assertThat(span.evidence()).isEqualTo(ParentEvidence.NONE);
      assertThat(span.parentSpanId()).isZero();
      assertThat(span.headerParentSpanId()).isZero();
      assertThat(span.traceIdLow()).isNotZero();
      assertThat(span.flags()).isEqualTo((byte) 3);
    }
    assertThat(spans.get(0).traceIdLow()).isNotEqualTo(spans.get(1).traceIdLow());
    assertThat(spans.get(0).spanId()).isNotEqualTo(spans.get(1).spanId());
  }

  /// A function that passes the header on as it came: A calls B.
  @Test
  void findsTheTrueTreeBehindAForwardedHeader() {
    report(servedLocally(B, client(A, 4000), 11, 20, 80), head(FROM_USER));
    report(called(A, 4000, B, 11, 19, 81, 1), head(FROM_USER));
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    TracedExchange a = span(HttpExchange.Role.SERVER, A);
    TracedExchange callOfA = span(HttpExchange.Role.CLIENT, A);
    TracedExchange b = span(HttpExchange.Role.SERVER, B);
    assertThat(spans).hasSize(3).allMatch(span -> span.traceIdLow() == 0x7a);
    assertThat(a.parentSpanId()).isEqualTo(0xc1);
    assertThat(callOfA.parentSpanId()).isEqualTo(a.spanId());
    assertThat(callOfA.evidence()).isEqualTo(ParentEvidence.SAME_TRACE);
    assertThat(callOfA.headerParentSpanId()).isEqualTo(0xc1);
    assertThat(b.parentSpanId()).isEqualTo(callOfA.spanId());
    assertThat(b.evidence()).isEqualTo(ParentEvidence.CONNECTION);
    assertThat(b.headerParentSpanId()).isEqualTo(0xc1);
    assertThat(correlator.waiting()).isZero();
  }

  /// A function that passes no header on, in a chain of three: everything joins the first trace.
  @Test
  void joinsCallsWithoutContextToTheOnlyOpenInvocation() {
    report(servedLocally(C, client(B, 4001), 12, 40, 60), head(CarriedContext.NONE));
    report(called(B, 4001, C, 12, 39, 61, 1), head(CarriedContext.NONE));
    report(servedLocally(B, client(A, 4000), 11, 20, 80), head(CarriedContext.NONE));
    report(called(A, 4000, B, 11, 19, 81, 1), head(CarriedContext.NONE));
    assertThat(spans).isEmpty();
    assertThat(correlator.waiting()).isEqualTo(4);
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    assertThat(correlator.waiting()).isZero();
    assertThat(spans).hasSize(5).allMatch(span -> span.traceIdLow() == 0x7a);
    TracedExchange a = span(HttpExchange.Role.SERVER, A);
    TracedExchange callOfA = span(HttpExchange.Role.CLIENT, A);
    TracedExchange b = span(HttpExchange.Role.SERVER, B);
    TracedExchange callOfB = span(HttpExchange.Role.CLIENT, B);
    TracedExchange c = span(HttpExchange.Role.SERVER, C);
    assertThat(callOfA.parentSpanId()).isEqualTo(a.spanId());
    assertThat(callOfA.evidence()).isEqualTo(ParentEvidence.ONLY_OPEN);
    assertThat(b.parentSpanId()).isEqualTo(callOfA.spanId());
    assertThat(callOfB.parentSpanId()).isEqualTo(b.spanId());
    assertThat(c.parentSpanId()).isEqualTo(callOfB.spanId());
    assertThat(c.headerParentSpanId()).isZero();
  }

  /// The trace that A's invocation starts, because it carried nothing either, is joined as well.
  @Test
  void joinsATraceThatStartsHere() {
    report(called(A, 4000, B, 11, 19, 81, 1), head(CarriedContext.NONE));
    report(served(A, OUTSIDE, 1, 0, 100), head(CarriedContext.NONE));
    report(servedLocally(B, client(A, 4000), 11, 20, 80), head(CarriedContext.NONE));
    assertThat(spans).hasSize(3);
    assertThat(spans)
        .extracting(TracedExchange::traceIdLow)
        .containsOnly(spans.get(0).traceIdLow());
    assertThat(spans)
        .extracting(TracedExchange::traceIdHigh)
        .containsOnly(spans.get(0).traceIdHigh());
    assertThat(spans).extracting(TracedExchange::flags).containsOnly((byte) 3);
  }

  /// A function with an SDK sends its own span as the parent: the call belongs to the invocation
  /// all the same, and the header's word is kept.
  @Test
  void keepsTheWordOfAnSdkBesideTheEvidence() {
    TraceContext fromSdk = context(0x7a, 0x5d);
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    report(called(A, 4000, B, 11, 19, 81, 1), head(fromSdk));
    report(servedLocally(B, client(A, 4000), 11, 20, 80), head(fromSdk));
    TracedExchange a = span(HttpExchange.Role.SERVER, A);
    TracedExchange callOfA = span(HttpExchange.Role.CLIENT, A);
    TracedExchange b = span(HttpExchange.Role.SERVER, B);
    assertThat(callOfA.parentSpanId()).isEqualTo(a.spanId());
    assertThat(callOfA.headerParentSpanId()).isEqualTo(0x5d);
    assertThat(b.parentSpanId()).isEqualTo(callOfA.spanId());
    assertThat(b.headerParentSpanId()).isEqualTo(0x5d);
  }

  @Test
  void givesEachCallOfAFanOutItsOwnCallee() {
    for (int i = 0; i < 5; i++) {
      report(servedLocally(B, client(A, 4000 + i), i, 20 + i, 80 + i), head(FROM_USER));
    }
    for (int i = 4; i >= 0; i--) {
      report(called(A, 4000 + i, B, i, 10 + i, 90 + i, 1), head(FROM_USER));
    }
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    assertThat(spans).hasSize(11);
    TracedExchange a = span(HttpExchange.Role.SERVER, A);
    for (TracedExchange callee : spans) {
      if (callee.exchange().cgroupId() == B) {
        TracedExchange caller = bySpanId(callee.parentSpanId());
        assertThat(caller.exchange().local()).isEqualTo(callee.exchange().remote());
        assertThat(caller.parentSpanId()).isEqualTo(a.spanId());
      }
    }
  }

  @Test
  void tellsConcurrentInvocationsApartByTheirTraces() {
    TraceContext other = context(0x7b, 0xc2);
    report(called(A, 4000, B, 11, 19, 81, 2), head(FROM_USER));
    report(served(A, OUTSIDE, 2, 5, 90), head(other));
    assertThat(spans).as("one of two open invocations is not known yet").hasSize(1);
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    TracedExchange a = bySpan(0x7a, HttpExchange.Role.SERVER);
    assertThat(bySpan(0x7a, HttpExchange.Role.CLIENT).parentSpanId()).isEqualTo(a.spanId());
  }

  @Test
  void doesNotGuessBetweenConcurrentInvocationsOfOneTrace() {
    report(called(A, 4000, B, 11, 19, 81, 2), head(FROM_USER));
    report(served(A, OUTSIDE, 2, 5, 90), head(context(0x7a, 0xc2)));
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    TracedExchange callOfA = span(HttpExchange.Role.CLIENT, A);
    assertThat(callOfA.evidence()).isEqualTo(ParentEvidence.HEADER);
    assertThat(callOfA.parentSpanId()).isEqualTo(0xc1);
    assertThat(correlator.missing().count(MissingEvidence.AMBIGUOUS)).isEqualTo(1);
  }

  @Test
  void doesNotGuessForACallWithoutContextAmongSeveralInvocations() {
    report(served(A, OUTSIDE, 2, 5, 90), head(context(0x7b, 0xc2)));
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    report(called(A, 4000, B, 11, 19, 81, 2), head(CarriedContext.NONE));
    TracedExchange callOfA = span(HttpExchange.Role.CLIENT, A);
    assertThat(callOfA.evidence()).isEqualTo(ParentEvidence.NONE);
    assertThat(callOfA.traceIdLow()).isNotIn(0x7aL, 0x7bL);
  }

  @Test
  void leavesACallOfAnotherTraceWhereItsHeaderPutIt() {
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    report(called(A, 4000, B, 11, 19, 81, 1), head(context(0x7b, 0x5d)));
    pass(8_001_000);
    TracedExchange callOfA = span(HttpExchange.Role.CLIENT, A);
    assertThat(callOfA.parentSpanId()).isEqualTo(0x5d);
    assertThat(callOfA.traceIdLow()).isEqualTo(0x7b);
    assertThat(correlator.missing().count(MissingEvidence.OTHER_TRACES)).isEqualTo(1);
  }

  /// A processor that was taken away between clock and count: by their times two were open, and the
  /// one that was not counted is reported first.
  @Test
  void waitsForTheInvocationOfItsTraceThoughAsManyAsWereCountedAreKnown() {
    report(served(A, OUTSIDE, 2, 5, 90), head(context(0x7b, 0xc2)));
    report(called(A, 4000, B, 11, 19, 81, 1), head(FROM_USER));
    assertThat(spans).hasSize(1);
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.SAME_TRACE);
    assertThat(correlator.missing().total()).isZero();
  }

  /// The same, where nothing at all was counted.
  @Test
  void doesNotBelieveThatNothingWasOpenWhenTheInvocationOfItsTraceWas() {
    report(served(A, OUTSIDE, 2, 0, 5), head(context(0x7b, 0xc2)));
    report(called(A, 4000, B, 11, 19, 81, 0), head(FROM_USER));
    assertThat(spans).hasSize(1);
    report(served(A, OUTSIDE, 1, 10, 100), head(FROM_USER));
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.SAME_TRACE);
    assertThat(correlator.missing().total()).isZero();
  }

  /// A function that works on its own, with traces of its own, between its invocations.
  @Test
  void believesThatNothingWasOpenWhenAllIsReportedAndNothingWas() {
    report(served(A, OUTSIDE, 2, 0, 5), head(context(0x7b, 0xc2)));
    report(called(A, 4000, B, 11, 19, 81, 0), head(FROM_USER));
    pass(8_020_000);
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.HEADER);
    assertThat(correlator.missing().total()).isZero();
  }

  /// The same, of one that ended: it was counted, but by its times ended 90 ms before.
  @Test
  void takesTheInvocationOfItsTraceWhenAllAreReportedThoughOneMoreWasCounted() {
    report(served(A, OUTSIDE, 2, 0, 10_000), head(context(0x7b, 0xc2)));
    report(served(A, OUTSIDE, 1, 50_000, 200_000), head(FROM_USER));
    report(called(A, 4000, B, 11, 100_000, 110_000, 2), head(FROM_USER));
    assertThat(spans).hasSize(2);
    pass(8_101_000);
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.SAME_TRACE);
    assertThat(correlator.missing().total()).isZero();
  }

  @Test
  void leavesACallAloneThatLeftWhileNothingWasOpen() {
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    report(called(A, 4000, B, 11, 150, 160, 0), head(CarriedContext.NONE));
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.NONE);
    assertThat(correlator.missing().total()).isZero();
  }

  /// Not counted: until everything that is open has been reported, another invocation of the same
  /// trace may come.
  @Test
  void waitsForAllInvocationsWhenItIsNotKnownHowManyWereOpen() {
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    report(called(A, 4000, B, 11, 19, 81, -1), head(FROM_USER));
    pass(7_900_000);
    assertThat(spans).hasSize(1);
    pass(101_000);
    TracedExchange callOfA = span(HttpExchange.Role.CLIENT, A);
    assertThat(callOfA.parentSpanId()).isEqualTo(span(HttpExchange.Role.SERVER, A).spanId());
    assertThat(callOfA.evidence()).isEqualTo(ParentEvidence.SAME_TRACE);
    assertThat(correlator.missing().total()).isZero();
  }

  @Test
  void doesNotChooseBetweenInvocationsOfOneTraceThatWereNotCounted() {
    report(called(A, 4000, B, 11, 19, 81, -1), head(FROM_USER));
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    pass(5_000_000);
    report(served(A, OUTSIDE, 2, 10, 5_000_000), head(FROM_USER));
    pass(3_001_000);
    assertThat(span(HttpExchange.Role.CLIENT, A).parentSpanId()).isEqualTo(0xc1);
    assertThat(correlator.missing().count(MissingEvidence.AMBIGUOUS)).isEqualTo(1);
  }

  @Test
  void joinsACallWithoutContextThatWasNotCountedToTheOnlyInvocation() {
    report(called(A, 4000, B, 11, 19, 81, -1), head(CarriedContext.NONE));
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    pass(8_001_000);
    TracedExchange callOfA = span(HttpExchange.Role.CLIENT, A);
    assertThat(callOfA.traceIdLow()).isEqualTo(0x7a);
    assertThat(callOfA.evidence()).isEqualTo(ParentEvidence.ONLY_OPEN);
  }

  /// What was lost may have been the invocation that made it.
  @Test
  void doesNotUseAnInvocationThatWasNotCountedWhenSomethingWasLost() {
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    report(called(A, 4000, B, 11, 19, 81, -1), head(FROM_USER));
    pass(1_000_000);
    correlator.lost(nowNs);
    pass(9_001_000);
    assertThat(span(HttpExchange.Role.CLIENT, A).parentSpanId()).isEqualTo(0xc1);
    assertThat(correlator.missing().count(MissingEvidence.OPEN_NOT_COUNTED)).isEqualTo(1);
    report(served(A, OUTSIDE, 1, 10_100_000, 10_100_100), head(FROM_USER));
    report(called(A, 4001, B, 12, 10_100_019, 10_100_081, -1), head(FROM_USER));
    pass(8_101_000);
    assertThat(spans.getLast().evidence()).isEqualTo(ParentEvidence.SAME_TRACE);
  }

  /// A call that is told when what was open with it is forgotten.
  @Test
  void doesNotLookForInvocationsThatMayBeForgotten() {
    pass(10_001_000);
    report(called(A, 4000, B, 11, 19, 81, -1), head(FROM_USER));
    assertThat(only().evidence()).isEqualTo(ParentEvidence.HEADER);
    assertThat(correlator.missing().count(MissingEvidence.REPORTED_LATE)).isEqualTo(1);
  }

  /// Connections older than the agent are not followed, so another invocation may be open.
  @Test
  void doesNotTakeTheOnlyOpenInvocationOfAnInstanceOlderThanTheAgent() {
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    HttpExchange call = called(A, 4000, B, 11, 19, 81, 1);
    correlator.report(call, head(CarriedContext.NONE), Watch.SINCE_LATER, nowNs);
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.NONE);
    assertThat(correlator.missing().count(MissingEvidence.OPEN_NOT_COUNTED)).isEqualTo(1);
    HttpExchange withContext = called(A, 4001, B, 12, 19, 81, 1);
    correlator.report(withContext, head(FROM_USER), Watch.SINCE_LATER, nowNs);
    assertThat(spans.getLast().evidence()).isEqualTo(ParentEvidence.SAME_TRACE);
  }

  /// Two requests at once, none of them with a header: only the thread knows whose the call is.
  @Test
  void asksTheThreadWhereSeveralInvocationsAreOpen() {
    correlator.watchThreads(true);
    HttpExchange first = served(A, OUTSIDE, 1, 0, 100);
    HttpExchange second = served(A, OUTSIDE, 2, 5, 90);
    HttpExchange call = called(A, 4000, B, 11, 19, 81, 2);
    report(call, head(CarriedContext.NONE));
    report(second, head(CarriedContext.NONE));
    report(first, head(FROM_USER));
    assertThat(spans).as("the call waits for its thread").hasSize(2);
    correlator.madeBy(Exchanges.ofThread(call, first, 1_000));
    TracedExchange span = span(HttpExchange.Role.CLIENT, A);
    assertThat(span.evidence()).isEqualTo(ParentEvidence.CALLING_THREAD);
    assertThat(span.parentSpanId()).isEqualTo(spans.get(1).spanId());
    assertThat(span.traceIdLow()).isEqualTo(0x7a);
    assertThat(correlator.missing().count(MissingEvidence.AMBIGUOUS)).isZero();
  }

  @Test
  void waitsForTheThreadNotForLong() {
    correlator.watchThreads(true);
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    report(served(A, OUTSIDE, 2, 5, 90), head(FROM_USER));
    report(called(A, 4000, B, 11, 19, 81, 2), head(CarriedContext.NONE));
    pass(199_000);
    assertThat(spans).hasSize(2);
    pass(1_000);
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.NONE);
    assertThat(correlator.missing().count(MissingEvidence.AMBIGUOUS)).isEqualTo(1);
    assertThat(correlator.waiting()).isZero();
  }

  /// Told before the call and its invocation are reported.
  @Test
  void remembersWhatTheThreadToldBefore() {
    correlator.watchThreads(true);
    HttpExchange first = served(A, OUTSIDE, 1, 0, 100);
    HttpExchange call = called(A, 4000, B, 11, 19, 81, 2);
    correlator.madeBy(Exchanges.ofThread(call, first, 1_000));
    report(served(A, OUTSIDE, 2, 5, 90), head(FROM_USER));
    report(first, head(FROM_USER));
    report(call, head(FROM_USER));
    TracedExchange span = span(HttpExchange.Role.CLIENT, A);
    assertThat(span.evidence()).isEqualTo(ParentEvidence.CALLING_THREAD);
    assertThat(span.parentSpanId()).isEqualTo(spans.get(1).spanId());
  }

  /// What the call carries was given to another trace: the function began one of its own.
  @Test
  void believesTheHeaderMoreThanTheThread() {
    correlator.watchThreads(true);
    HttpExchange first = served(A, OUTSIDE, 1, 0, 100);
    HttpExchange call = called(A, 4000, B, 11, 19, 81, 1);
    correlator.madeBy(Exchanges.ofThread(call, first, 1_000));
    report(first, head(FROM_USER));
    report(call, head(context(0x7b, 0xc2)));
    pass(10_001_000);
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.HEADER);
  }

  /// Of an instance older than the agent not all connections are followed; the thread is.
  @Test
  void asksTheThreadOfAnInstanceOlderThanTheAgent() {
    correlator.watchThreads(true);
    HttpExchange invocation = served(A, OUTSIDE, 1, 0, 100);
    HttpExchange call = called(A, 4000, B, 11, 19, 81, 1);
    correlator.report(invocation, head(FROM_USER), Watch.SINCE_LATER, nowNs);
    correlator.report(call, head(CarriedContext.NONE), Watch.SINCE_LATER, nowNs);
    correlator.madeBy(Exchanges.ofThread(call, invocation, 1_000));
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence())
        .isEqualTo(ParentEvidence.CALLING_THREAD);
  }

  /// A pickup that no exchange on that connection covers proves nothing.
  @Test
  void doesNotTakeTheThreadsWordForAnInvocationThatIsNotKnown() {
    correlator.watchThreads(true);
    HttpExchange first = served(A, OUTSIDE, 1, 0, 100);
    HttpExchange call = called(A, 4000, B, 11, 19, 81, 2);
    report(served(A, OUTSIDE, 2, 5, 90), head(FROM_USER));
    report(first, head(FROM_USER));
    report(call, head(CarriedContext.NONE));
    correlator.madeBy(Exchanges.ofThread(call, first, -1));
    correlator.madeBy(Exchanges.ofThread(call, served(B, OUTSIDE, 7, 0, 100), 1_000));
    pass(200_000);
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.NONE);
  }

  /// A function with an SDK, asked without a context: its SDK's trace is the invocation's.
  @Test
  void beginsTheTraceThatItsSdkBegan() {
    report(servedLocally(B, client(A, 4000), 11, 20, 80), head(FROM_SDK));
    report(called(A, 4000, B, 11, 19, 81, 1), head(FROM_SDK));
    report(called(A, 4001, C, 12, 85, 90, 1), head(context(FROM_SDK.traceIdLow(), 0x5e)));
    report(served(A, OUTSIDE, 1, 0, 100), head(CarriedContext.NONE));
    assertThat(spans)
        .as("of A another invocation may have been open")
        .allMatch(span -> span.exchange().cgroupId() == B);
    pass(8_001_000);
    assertThat(spans)
        .hasSize(4)
        .allMatch(span -> span.traceIdLow() == FROM_SDK.traceIdLow() && span.flags() == 1);
    TracedExchange a = span(HttpExchange.Role.SERVER, A);
    assertThat(a.parentSpanId()).isZero();
    assertThat(a.evidence()).isEqualTo(ParentEvidence.NONE);
    assertThat(spans)
        .filteredOn(span -> span.exchange().role() == HttpExchange.Role.CLIENT)
        .hasSize(2)
        .allMatch(call -> call.parentSpanId() == a.spanId());
    assertThat(span(HttpExchange.Role.CLIENT, A).headerParentSpanId()).isEqualTo(0x5d);
    assertThat(correlator.missing().total()).isZero();
    assertThat(correlator.waiting()).isZero();
  }

  /// Many at once: the thread that serves the request says which call is its own.
  @Test
  void beginsTheTraceThatItsThreadTells() {
    correlator.watchThreads(true);
    HttpExchange first = served(A, OUTSIDE, 1, 0, 100);
    HttpExchange call = called(A, 4000, B, 11, 19, 81, 2);
    report(call, head(FROM_SDK));
    report(served(A, OUTSIDE, 2, 5, 90), head(CarriedContext.NONE));
    report(first, head(CarriedContext.NONE));
    correlator.madeBy(Exchanges.ofThread(call, first, 1_000));
    pass(200_000);
    assertThat(spans).hasSize(3);
    TracedExchange named = bySpan(FROM_SDK.traceIdLow(), HttpExchange.Role.SERVER);
    assertThat(named.exchange()).isEqualTo(first);
    assertThat(bySpan(FROM_SDK.traceIdLow(), HttpExchange.Role.CLIENT).parentSpanId())
        .isEqualTo(named.spanId());
  }

  @Test
  void doesNotGuessWhichOfTwoInvocationsAnSdkBeganATraceFor() {
    report(called(A, 4000, B, 11, 19, 81, 2), head(FROM_SDK));
    report(served(A, OUTSIDE, 2, 5, 90), head(CarriedContext.NONE));
    report(served(A, OUTSIDE, 1, 0, 100), head(CarriedContext.NONE));
    assertThat(spans).as("nothing can tell").hasSize(2);
    pass(8_001_000);
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.HEADER);
    assertThat(spans).extracting(TracedExchange::traceIdLow).doesNotHaveDuplicates();
  }

  /// Counted was one, but by the time everything is reported there were two.
  @Test
  void doesNotTakeTheTraceOfAnInvocationThatIsReportedLater() {
    report(called(A, 4000, B, 11, 19, 81, 1), head(FROM_SDK));
    report(served(A, OUTSIDE, 1, 0, 100), head(CarriedContext.NONE));
    pass(5_000_000);
    report(stillOpen(served(A, OUTSIDE, 2, 5, 9_000_000), 5_000_000_000L), head(FROM_SDK));
    pass(3_001_000);
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.SAME_TRACE);
    TracedExchange first =
        spans.stream().filter(s -> s.head().context() == null).findFirst().orElseThrow();
    assertThat(first.traceIdLow()).isNotEqualTo(FROM_SDK.traceIdLow());
  }

  /// Work that goes on behind the answer, while a request without context is the only one.
  @Test
  void doesNotTakeTheTraceOfAnEarlierRequest() {
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    report(called(A, 4000, B, 11, 210, 220, 1), head(FROM_USER));
    report(served(A, OUTSIDE, 2, 200, 300), head(CarriedContext.NONE));
    pass(8_001_000);
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.HEADER);
    assertThat(spans.get(1).traceIdLow()).isNotEqualTo(FROM_USER.traceIdLow());
  }

  @Test
  void doesNotTakeTheTraceOfAJobThatCallsNowAndThen() {
    report(called(A, 4000, B, 11, 10, 20, 0), head(FROM_USER));
    pass(600_000_000);
    report(called(A, 4001, B, 12, 600_000_210, 600_000_220, 1), head(FROM_USER));
    report(served(A, OUTSIDE, 2, 600_000_200, 600_000_300), head(CarriedContext.NONE));
    pass(8_001_000);
    assertThat(span(HttpExchange.Role.SERVER, A).traceIdLow()).isNotEqualTo(FROM_USER.traceIdLow());
    assertThat(spans).hasSize(3);
  }

  @Test
  void takesNoneOfTwoTracesThatBeganInOneInvocation() {
    report(called(A, 4000, B, 11, 19, 40, 1), head(FROM_SDK));
    report(called(A, 4001, C, 12, 50, 60, 1), head(context(0x7c, 0x5e)));
    report(served(A, OUTSIDE, 1, 0, 100), head(CarriedContext.NONE));
    pass(8_001_000);
    assertThat(spans).hasSize(3);
    assertThat(spans).extracting(TracedExchange::traceIdLow).doesNotHaveDuplicates();
    assertThat(spans)
        .filteredOn(span -> span.exchange().role() == HttpExchange.Role.CLIENT)
        .allMatch(span -> span.evidence() == ParentEvidence.HEADER);
    assertThat(correlator.missing().count(MissingEvidence.OTHER_TRACES)).isEqualTo(2);
  }

  /// A proxy that sends no header in front of a function with an SDK.
  @Test
  void beginsTheTraceThatAnSdkBeganFurtherDown() {
    report(called(B, 4001, C, 12, 39, 61, 1), head(FROM_SDK));
    report(servedLocally(B, client(A, 4000), 11, 20, 80), head(CarriedContext.NONE));
    report(called(A, 4000, B, 11, 19, 81, 1), head(CarriedContext.NONE));
    report(served(A, OUTSIDE, 1, 0, 100), head(CarriedContext.NONE));
    assertThat(spans).isEmpty();
    pass(8_001_000);
    assertThat(spans).hasSize(4).allMatch(span -> span.traceIdLow() == FROM_SDK.traceIdLow());
    assertThat(span(HttpExchange.Role.CLIENT, B).parentSpanId())
        .isEqualTo(span(HttpExchange.Role.SERVER, B).spanId());
    assertThat(span(HttpExchange.Role.SERVER, B).parentSpanId())
        .isEqualTo(span(HttpExchange.Role.CLIENT, A).spanId());
    assertThat(span(HttpExchange.Role.CLIENT, A).parentSpanId())
        .isEqualTo(span(HttpExchange.Role.SERVER, A).spanId());
    assertThat(correlator.waiting()).isZero();
  }

  @Test
  void keepsItsOwnTraceWhereReportsWereLost() {
    report(called(A, 4000, B, 11, 19, 81, 1), head(FROM_SDK));
    report(served(A, OUTSIDE, 1, 0, 100), head(CarriedContext.NONE));
    correlator.lost(nowNs + 1_000_000);
    pass(20_000_000);
    assertThat(spans).hasSize(2);
    assertThat(spans).extracting(TracedExchange::traceIdLow).doesNotHaveDuplicates();
    assertThat(correlator.waiting()).isZero();
  }

  @Test
  void doesNotJoinACallWhoseContextMayBeCutOff() {
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    report(called(A, 4000, B, 11, 19, 81, 1), head(CarriedContext.UNKNOWN));
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.NONE);
    assertThat(correlator.missing().count(MissingEvidence.CONTEXT_CUT_OFF)).isEqualTo(1);
  }

  /// An invocation that began so shortly before the call left that it may not have been counted
  /// must not stand for the one that was.
  @Test
  void doesNotCountAnInvocationAtTheEdgeOfACall() {
    report(called(A, 4000, B, 11, 19, 81, 1), head(CarriedContext.NONE));
    report(served(A, OUTSIDE, 2, 18, 30), head(context(0x7b, 0xc2)));
    assertThat(spans).hasSize(1);
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.NONE);
    assertThat(correlator.missing().count(MissingEvidence.AMBIGUOUS)).isEqualTo(1);
  }

  /// It was the one that the kernel counted, which shows when nothing else has come.
  @Test
  void takesAnInvocationAtTheEdgeOfACallWhenAllAreReported() {
    report(called(A, 4000, B, 11, 19, 81, 1), head(FROM_USER));
    report(served(A, OUTSIDE, 2, 18, 30), head(FROM_USER));
    assertThat(spans).hasSize(1);
    pass(8_001_000);
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.SAME_TRACE);
    assertThat(correlator.missing().total()).isZero();
  }

  @Test
  void doesNotTakeAnInvocationOfAnotherInstance() {
    report(served(B, OUTSIDE, 1, 0, 100), head(FROM_USER));
    report(called(A, 4000, C, 11, 19, 81, 1), head(FROM_USER));
    assertThat(spans).hasSize(1);
    pass(10_000_001);
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.HEADER);
    assertThat(correlator.missing().count(MissingEvidence.OPEN_NOT_REPORTED)).isEqualTo(1);
  }

  /// A function that calls itself: its own callee is no candidate, and with two open invocations of
  /// one trace the inner call is ambiguous.
  @Test
  void doesNotMakeACallTheChildOfItsOwnCallee() {
    report(servedLocally(A, client(A, 4000), 11, 20, 80), head(FROM_USER));
    report(called(A, 4000, A, 11, 20, 81, 1), head(FROM_USER));
    report(served(A, OUTSIDE, 1, 0, 100), head(FROM_USER));
    TracedExchange callOfA = span(HttpExchange.Role.CLIENT, A);
    TracedExchange outer = bySpanId(callOfA.parentSpanId());
    assertThat(outer.exchange().remote()).isEqualTo(OUTSIDE);
    assertThat(spans)
        .filteredOn(span -> span.parentSpanId() == callOfA.spanId())
        .singleElement()
        .satisfies(inner -> assertThat(inner.exchange().remote()).isEqualTo(client(A, 4000)));
  }

  /// Unreadable exchanges were open as well; without a span they cannot be parents.
  @Test
  void countsExchangesWithoutASpanButGivesThemNoChildren() {
    report(called(A, 4000, B, 11, 19, 81, 1), head(CarriedContext.NONE));
    report(served(A, OUTSIDE, 1, 0, 100), null);
    TracedExchange callOfA = only();
    assertThat(callOfA.evidence()).isEqualTo(ParentEvidence.NONE);
    assertThat(correlator.waiting()).isZero();
  }

  @Test
  void letsAnInvocationGoWhoseCallHasNoSpan() {
    report(servedLocally(A, client(B, 4000), 11, 20, 80), head(FROM_USER));
    assertThat(spans).isEmpty();
    report(called(B, 4000, A, 11, 19, 81, 1), null);
    assertThat(only().evidence()).isEqualTo(ParentEvidence.HEADER);
    report(called(B, 4001, A, 12, 19, 81, 1), null);
    report(servedLocally(A, client(B, 4001), 12, 20, 80), head(FROM_USER));
    assertThat(spans).hasSize(2);
  }

  @Test
  void doesNotJoinAnotherRequestOfTheSameConnection() {
    report(called(A, 4000, B, 11, 19, 81, 0), head(FROM_USER));
    report(servedLocally(B, client(A, 4000), 500, 120, 180), head(FROM_USER));
    assertThat(spans).hasSize(1);
    report(called(A, 4000, B, 500, 119, 181, 0), head(FROM_USER));
    TracedExchange b = span(HttpExchange.Role.SERVER, B);
    assertThat(bySpanId(b.parentSpanId()).exchange().headSequence()).isEqualTo(500);
  }

  @Test
  void doesNotJoinAnEarlierConnectionOfTheSameAddresses() {
    report(called(A, 4000, B, 11, 19, 81, 0), head(FROM_USER));
    report(servedLocally(B, client(A, 4000), 11, 1_000, 1_100), head(FROM_USER));
    assertThat(spans).hasSize(1);
    pass(10_000_001);
    assertThat(span(HttpExchange.Role.SERVER, B).evidence()).isEqualTo(ParentEvidence.HEADER);
    assertThat(correlator.missing().count(MissingEvidence.CALL_NOT_REPORTED)).isEqualTo(1);
  }

  @Test
  void doesNotJoinACallThatWasReadDifferently() {
    report(called(A, 4000, B, 11, 19, 81, 0), head(context(0x7b, 0x5d)));
    report(servedLocally(B, client(A, 4000), 11, 20, 80), head(FROM_USER));
    assertThat(span(HttpExchange.Role.SERVER, B).parentSpanId()).isEqualTo(0xc1);
    assertThat(correlator.missing().count(MissingEvidence.CALL_DIFFERS)).isEqualTo(1);
  }

  @Test
  void waitsNoLongerThanTheLimit() {
    report(servedLocally(B, client(A, 4000), 11, 20, 80), head(CarriedContext.NONE));
    pass(9_999_999);
    assertThat(spans).isEmpty();
    pass(1);
    assertThat(only().evidence()).isEqualTo(ParentEvidence.NONE);
    report(called(A, 4000, B, 11, 19, 81, 0), head(CarriedContext.NONE));
    assertThat(spans).as("the call came too late").hasSize(2);
    pass(10_000_000);
    assertThat(correlator.remembered()).isZero();
  }

  /// What follows another has no deadline of its own: the chain ends with its first.
  @Test
  void settlesAWholeChainWhenItsFirstGivesUp() {
    report(called(B, 4001, C, 12, 39, 61, 1), head(CarriedContext.NONE));
    report(servedLocally(B, client(A, 4000), 11, 20, 80), head(CarriedContext.NONE));
    pass(6_000_000);
    report(called(A, 4000, B, 11, 19, 81, 1), head(CarriedContext.NONE));
    pass(9_999_999);
    assertThat(spans).isEmpty();
    pass(1);
    assertThat(spans).hasSize(3);
    assertThat(spans)
        .extracting(TracedExchange::traceIdLow)
        .containsOnly(spans.get(0).traceIdLow());
    assertThat(span(HttpExchange.Role.CLIENT, A).evidence()).isEqualTo(ParentEvidence.NONE);
    assertThat(correlator.missing().total()).isEqualTo(1);
  }

  @Test
  void handsOutTheOldestWhenTooManyWait() {
    correlator = correlator(new CorrelationLimits(Duration.ofSeconds(10), 100, 1_000));
    for (int i = 0; i < 1_000; i++) {
      report(servedLocally(B, client(A, i), i, 20 + i, 80 + i), head(FROM_USER));
      assertThat(correlator.waiting()).isLessThanOrEqualTo(100);
    }
    assertThat(spans).hasSize(900);
    assertThat(correlator.missing().count(MissingEvidence.OVERFLOW)).isEqualTo(900);
  }

  @Test
  void doesNotRememberInvocationsOfWhatMakesNoCalls() {
    for (int i = 0; i < 100; i++) {
      HttpExchange invocation = served(A, OUTSIDE, i, 2L * i, 2L * i + 1);
      correlator.report(invocation, head(FROM_USER), Watch.INVOCATIONS, nowNs);
    }
    assertThat(spans).hasSize(100);
    assertThat(correlator.remembered()).isZero();
  }

  @Test
  void remembersABoundedNumberOfExchanges() {
    correlator = correlator(new CorrelationLimits(Duration.ofSeconds(10), 100, 1_000));
    for (int i = 0; i < 5_000; i++) {
      report(served(A, OUTSIDE, i, 2L * i, 2L * i + 1), head(FROM_USER));
      report(called(B, i, C, i, 2L * i, 2L * i + 1, 0), head(FROM_USER));
      assertThat(correlator.remembered()).isLessThanOrEqualTo(1_000);
    }
    assertThat(spans).hasSize(10_000);
  }

  @Test
  void handsOutEverythingWhenItCloses() {
    report(called(B, 4001, C, 12, 39, 61, 1), head(CarriedContext.NONE));
    report(servedLocally(B, client(A, 4000), 11, 20, 80), head(CarriedContext.NONE));
    report(called(A, 4000, B, 11, 19, 81, 1), head(CarriedContext.NONE));
    report(servedLocally(C, client(B, 4002), 13, 39, 61), head(FROM_USER));
    correlator.close();
    assertThat(spans).hasSize(4);
    assertThat(correlator.waiting()).isZero();
    assertThat(correlator.missing().count(MissingEvidence.CLOSING)).isEqualTo(2);
  }

  @Test
  void handsOutWhatIsOpenAndAgainAtThePlaceItHadWhenItEnds() {
    HttpExchange whole = served(A, OUTSIDE, 1, 0, 9_000_000);
    report(stillOpen(whole, 5_000_000_000L), head(FROM_USER));
    TracedExchange open = only();
    assertThat(open.exchange().end()).isEqualTo(HttpExchange.End.OPEN);
    assertThat(correlator.confirm(stillOpen(whole, 6_000_000_000L))).isTrue();
    assertThat(spans).hasSize(1);
    report(whole, head(FROM_USER));
    assertThat(spans).hasSize(2);
    TracedExchange ended = spans.getLast();
    assertThat(ended.exchange()).isEqualTo(whole);
    assertThat(ended.spanId()).isEqualTo(open.spanId());
    assertThat(ended.traceIdLow()).isEqualTo(open.traceIdLow());
    assertThat(ended.parentSpanId()).isEqualTo(open.parentSpanId());
    assertThat(correlator.evidence().count(ParentEvidence.HEADER)).isEqualTo(1);
  }

  /// A waits for more than its calls do: they would be given up if they waited for its end.
  @Test
  void findsTheParentOfACallThatIsOpen() {
    HttpExchange a = served(A, OUTSIDE, 1, 0, 60_000_000);
    report(called(A, 4000, B, 11, 5_500_000, 5_600_000, 1), head(CarriedContext.NONE));
    assertThat(spans).isEmpty();
    report(stillOpen(a, 5_000_000_000L), head(FROM_USER));
    assertThat(spans).as("A").hasSize(1);
    correlator.confirm(stillOpen(a, 6_000_000_000L));
    assertThat(spans).as("A and its call").hasSize(2);
    assertThat(spans.getLast().parentSpanId()).isEqualTo(spans.getFirst().spanId());
    assertThat(spans.getLast().evidence()).isEqualTo(ParentEvidence.ONLY_OPEN);
  }

  @Test
  void doesNotTakeAnInvocationForOpenLongerThanItIsKnownToBe() {
    HttpExchange a = served(A, OUTSIDE, 1, 0, 60_000_000);
    report(stillOpen(a, 5_000_000_000L), head(FROM_USER));
    report(called(A, 4000, B, 11, 5_500_000, 5_600_000, 1), head(CarriedContext.NONE));
    pass(20_000_000);
    assertThat(spans.getLast().evidence()).isEqualTo(ParentEvidence.NONE);
    assertThat(correlator.missing().count(MissingEvidence.OPEN_NOT_REPORTED)).isEqualTo(1);
  }

  @Test
  void forgetsWhatIsNotConfirmed() {
    HttpExchange a = served(A, OUTSIDE, 1, 0, 90_000_000);
    report(stillOpen(a, 5_000_000_000L), head(FROM_USER));
    pass(66_000_000);
    assertThat(correlator.confirm(stillOpen(a, 66_000_000_000L))).isFalse();
  }

  private static HttpExchange served(
      int instance, InetSocketAddress caller, int sequence, long headMicros, long tailMicros) {
    return invocation(instance, caller, sequence, headMicros * 1000, tailMicros * 1000, false);
  }

  private static HttpExchange servedLocally(
      int instance, InetSocketAddress caller, int sequence, long headMicros, long tailMicros) {
    return invocation(instance, caller, sequence, headMicros * 1000, tailMicros * 1000, true);
  }

  private static HttpExchange called(
      int instance,
      int port,
      int callee,
      int sequence,
      long headMicros,
      long tailMicros,
      int open) {
    return call(instance, port, callee, sequence, headMicros * 1000, tailMicros * 1000, open);
  }

  private Correlator correlator(CorrelationLimits limits) {
    return new Correlator(limits, new SplittableRandom(3), spans::add);
  }

  private void report(HttpExchange exchange, @Nullable RequestHead head) {
    correlator.report(exchange, head, Watch.WHOLE_LIFE, nowNs);
  }

  private void pass(long micros) {
    nowNs += micros * 1000;
    correlator.advance(nowNs);
  }

  private TracedExchange only() {
    assertThat(spans).hasSize(1);
    return spans.getFirst();
  }

  private TracedExchange span(HttpExchange.Role role, int instance) {
    return spans.stream()
        .filter(s -> s.exchange().role() == role && s.exchange().cgroupId() == instance)
        .findFirst()
        .orElseThrow();
  }

  private TracedExchange bySpan(long traceId, HttpExchange.Role role) {
    return spans.stream()
        .filter(s -> s.traceIdLow() == traceId && s.exchange().role() == role)
        .findFirst()
        .orElseThrow();
  }

  private TracedExchange bySpanId(long spanId) {
    return spans.stream().filter(s -> s.spanId() == spanId).findFirst().orElseThrow();
  }
}
