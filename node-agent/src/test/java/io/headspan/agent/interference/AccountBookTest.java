package io.headspan.agent.interference;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.interference.InvocationAccount.Scope;
import io.headspan.agent.invocation.CallOfThread;
import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Role;
import io.headspan.agent.probe.sched.AccountRecord;
import io.headspan.agent.probe.sched.AccountRecord.Cause;
import io.headspan.agent.probe.sched.AccountRecord.Wait;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AccountBookTest {
  private static final InetSocketAddress SOMEWHERE =
      new InetSocketAddress(InetAddress.getLoopbackAddress(), 80);
  private static final long CGROUP = 7;

  private final TenantNumbers tenants = new TenantNumbers();
  private final int acme = tenants.of("acme");
  private final int noisy = tenants.of("noisy");
  private final AccountBook book = new AccountBook();

  /// By connection.
  private final Map<Long, Integer> requests = new TreeMap<>();

  @Test
  void givesAThreadsTimeToTheOneRequestThatItWorkedOn() {
    book.accept(record(Cause.PICKUP, 1, 100, 1_000, 900, 50, 300, 0, wait(noisy, 40, 30)));
    book.accept(record(Cause.ANSWER, 1, 100, 2_000, 900, 500, 200, 70, wait(noisy, 230, 0)));
    HttpExchange exchange = exchange(100, 850, 1_990, End.RESPONSE);
    assertThat(book.isComplete(exchange)).isTrue();

    InvocationAccount account = take(exchange);

    assertThat(account.scope()).isEqualTo(Scope.THREAD);
    assertThat(account.tenant()).isEqualTo("acme");
    assertThat(account.queueNs()).isEqualTo(150);
    assertThat(account.cpuNs()).isEqualTo(500);
    assertThat(account.blockedNs()).isEqualTo(200);
    assertThat(account.throttledNs()).isEqualTo(70);
    // What it waited between its wake-up and the pickup is the request's, what came before is not.
    assertThat(account.stolenNs()).isEqualTo(230 + 30);
    assertThat(account.culprit()).contains(new InvocationAccount.Wait("noisy", 230 + 30));
    assertThat(waitNs(book.unassigned(), noisy)).isEqualTo(10);
    assertThat(waitNs(book.held(), noisy)).isZero();
  }

  @Test
  void leavesAWaitThatBeganBeforeTheRequestCame() {
    book.accept(record(Cause.PICKUP, 1, 100, 1_000, 900, 0, 0, 0, wait(noisy, 40, 30)));
    book.accept(record(Cause.ANSWER, 1, 100, 2_000, 900, 0, 0, 0));
    assertThat(take(exchange(100, 950, 1_990, End.RESPONSE)).stolenNs()).isZero();
    assertThat(waitNs(book.unassigned(), noisy)).isEqualTo(40);
  }

  @Test
  void doesNotCallItsOwnThreadsOrAnIdleProcessorThieves() {
    book.accept(record(Cause.PICKUP, 1, 100, 1_000, 900, 0, 0, 0));
    book.accept(
        record(Cause.ANSWER, 1, 100, 2_000, 900, 0, 0, 0, wait(acme, 500, 0), wait(1, 600, 0)));
    InvocationAccount account = take(exchange(100, 800, 1_500, End.RESPONSE));
    assertThat(account.stolenNs()).isZero();
    assertThat(account.culprit()).isEmpty();
    assertThat(account.waits())
        .contains(
            new InvocationAccount.Wait("acme", 500),
            new InvocationAccount.Wait(TenantNumbers.IDLE, 600));
  }

  @Test
  void splitsWhatIsSharedOnAThread() {
    book.accept(record(Cause.PICKUP, 1, 100, 1_000, 900, 0, 0, 0));
    book.accept(record(Cause.PICKUP, 1, 200, 2_000, 900, 10, 0, 0, wait(noisy, 100, 0)));
    book.accept(record(Cause.ANSWER, 1, 100, 3_000, 900, 11, 0, 0, wait(noisy, 101, 0)));
    book.accept(record(Cause.ANSWER, 1, 200, 4_000, 900, 12, 0, 0, wait(noisy, 300, 0)));

    InvocationAccount first = take(exchange(100, 800, 2_900, End.RESPONSE));
    InvocationAccount second = take(exchange(200, 1_800, 3_900, End.RESPONSE));

    assertThat(first.scope()).isEqualTo(Scope.SHARED_THREAD);
    assertThat(first.cpuNs()).isEqualTo(10 + 5);
    assertThat(first.stolenNs()).isEqualTo(100 + 50);
    assertThat(second.scope()).isEqualTo(Scope.SHARED_THREAD);
    assertThat(second.cpuNs()).isEqualTo(5 + 12);
    assertThat(second.stolenNs()).isEqualTo(50 + 300);
    assertThat(waitNs(book.unassigned(), noisy)).isEqualTo(1);
    assertThat(book.unassigned().cpuNs).isEqualTo(1);
  }

  @Test
  void splitsTheThreadsOfTheCgroupAmongRequestsThatWereHandedOn() {
    book.accept(record(Cause.PICKUP, 1, 100, 1_000, 900, 0, 0, 0));
    book.accept(record(Cause.PICKUP, 2, 200, 1_500, 900, 0, 0, 0));
    // A worker while both are open, then the one that answers.
    book.accept(record(Cause.PERIOD, 3, 0, 1_800, 900, 100, 999, 0, wait(noisy, 20, 0)));
    book.accept(record(Cause.ANSWER, 3, 100, 2_000, 900, 200, 999, 0, wait(noisy, 40, 0)));
    book.accept(record(Cause.PERIOD, 3, 0, 2_500, 900, 64, 0, 0));
    book.accept(record(Cause.ANSWER, 2, 200, 3_000, 900, 7, 5, 0));

    InvocationAccount handedOn = take(exchange(100, 800, 1_900, End.RESPONSE));
    InvocationAccount kept = take(exchange(200, 800, 2_900, End.RESPONSE));

    assertThat(handedOn.scope()).isEqualTo(Scope.CGROUP);
    assertThat(handedOn.cpuNs()).isEqualTo((100 + 200) / 2);
    assertThat(handedOn.stolenNs()).isEqualTo((20 + 40) / 2);
    assertThat(handedOn.blockedNs()).isNull();
    assertThat(kept.scope()).isEqualTo(Scope.THREAD);
    assertThat(kept.cpuNs()).isEqualTo(7);
    assertThat(kept.blockedNs()).isEqualTo(5);
    assertThat(book.unassigned().cpuNs).isEqualTo(150 + 64);
    assertThat(waitNs(book.unassigned(), noisy)).isEqualTo(30);
  }

  @Test
  void countsTheHelpOfThreadsThatWokeTheReader() {
    book.accept(helped(record(Cause.PICKUP, 1, 100, 1_000, 900, 0, 0, 0)));
    book.accept(record(Cause.PERIOD, 3, 0, 1_800, 900, 100, 0, 0, wait(noisy, 20, 0)));
    book.accept(helped(record(Cause.ANSWER, 1, 100, 2_000, 1_900, 7, 800, 0)));
    InvocationAccount account = take(exchange(100, 800, 1_950, End.RESPONSE));
    assertThat(account.scope()).isEqualTo(Scope.CGROUP);
    assertThat(account.cpuNs()).isEqualTo(107);
    assertThat(account.stolenNs()).isEqualTo(20);
    assertThat(account.blockedNs()).isNull();

    // A dispatcher that wakes the thread before the pickup is no help with the request.
    book.accept(helped(record(Cause.PICKUP, 1, 100, 11_000, 900, 0, 0, 0)));
    book.accept(record(Cause.ANSWER, 1, 100, 12_000, 900, 7, 0, 0));
    assertThat(take(exchange(100, 10_800, 11_950, End.RESPONSE)).scope()).isEqualTo(Scope.THREAD);
  }

  @Test
  void countsAnAnswerInSeveralWritesToItsLastOne() {
    book.accept(record(Cause.PICKUP, 1, 100, 1_000, 900, 0, 0, 0));
    book.accept(record(Cause.ANSWER, 1, 100, 2_000, 900, 5, 0, 0));
    book.accept(record(Cause.ANSWER, 1, 100, 3_000, 900, 6, 7, 0, wait(noisy, 8, 0)));
    HttpExchange exchange = exchange(100, 800, 2_950, End.RESPONSE);
    assertThat(book.isComplete(exchange)).isTrue();
    InvocationAccount account = take(exchange);
    assertThat(account.scope()).isEqualTo(Scope.THREAD);
    assertThat(account.cpuNs()).isEqualTo(11);
    assertThat(account.blockedNs()).isEqualTo(7);
    assertThat(account.stolenNs()).isEqualTo(8);
  }

  @Test
  void tellsTheRequestsOfAConnectionApart() {
    for (int i = 0; i < 3; i++) {
      long at = 10_000L * i;
      book.accept(record(Cause.PICKUP, 1, 100, at + 1_000, at + 900, 0, 0, 0));
      book.accept(record(Cause.ANSWER, 1, 100, at + 2_000, at + 900, 5 + i, 0, 0));
    }
    // The first one was not captured.
    assertThat(take(exchange(100, 10_800, 11_900, End.RESPONSE)).cpuNs()).isEqualTo(6);
    assertThat(take(exchange(100, 20_800, 21_900, End.RESPONSE)).cpuNs()).isEqualTo(7);
    assertThat(book.unassigned().cpuNs).isEqualTo(5);
    assertThat(book.take(exchange(100, 30_800, 31_900, End.RESPONSE), tenants)).isNull();
  }

  @Test
  void takesAnAnswerThatIsToldAfterTheNextPickup() {
    book.accept(record(Cause.PICKUP, 1, 100, 1_000, 900, 0, 0, 0));
    AccountRecord answer = record(Cause.ANSWER, 1, 100, 2_200, 900, 5, 0, 0);
    book.accept(record(Cause.PICKUP, 2, 100, 2_100, 2_050, 0, 0, 0));
    book.accept(answer);
    book.accept(record(Cause.ANSWER, 2, 100, 3_000, 2_050, 6, 0, 0));
    InvocationAccount first = take(exchange(100, 800, 1_990, End.RESPONSE));
    InvocationAccount second = take(exchange(100, 2_020, 2_990, End.RESPONSE));
    assertThat(first.cpuNs()).isEqualTo(5);
    assertThat(first.scope()).isEqualTo(Scope.THREAD);
    assertThat(second.cpuNs()).isEqualTo(6);
    assertThat(second.scope()).isEqualTo(Scope.THREAD);
  }

  @Test
  void endsWhatNobodyAnswered() {
    book.accept(record(Cause.PICKUP, 1, 100, 1_000, 900, 0, 0, 0));
    book.accept(record(Cause.PERIOD, 1, 0, 1_500, 900, 40, 0, 0));
    HttpExchange reset = exchange(100, 800, 1_600, End.RESET);
    assertThat(book.isComplete(reset)).isFalse();
    InvocationAccount account = take(reset);
    assertThat(account.cpuNs()).isEqualTo(40);
    assertThat(account.scope()).isEqualTo(Scope.THREAD);
    book.accept(record(Cause.EXIT, 1, 0, 9_000, 900, 3, 0, 0));
    assertThat(book.unassigned().cpuNs).isEqualTo(3);
  }

  @Test
  void forgetsRequestsOfWhichNoExchangeComes() {
    book.accept(record(Cause.PICKUP, 1, 100, 1_000, 900, 0, 0, 0, wait(noisy, 4, 4)));
    book.accept(record(Cause.ANSWER, 1, 100, 2_000, 900, 0, 0, 0, wait(noisy, 5, 0)));
    book.expire(1_000_000);
    assertThat(waitNs(book.held(), noisy)).isEqualTo(9);
    book.expire(400_000_000_000L);
    assertThat(waitNs(book.held(), noisy)).isZero();
    assertThat(waitNs(book.unassigned(), noisy)).isEqualTo(9);
  }

  @Test
  void tellsWhatAThreadCalledThatDoesOneThingAfterTheOther() {
    pickUpBlocking(1, 100, 1_000);
    pickUpBlocking(2, 200, 1_100);
    call(1, 900, 1_200);
    call(2, 901, 1_300);
    assertThat(book.takeCalls()).as("before the answer").isEmpty();
    answer(1, 100, 2_000);
    assertThat(book.takeCalls()).containsExactly(new CallOfThread(900, 0, 100, 1_000));
    answer(2, 200, 2_100);
    assertThat(book.takeCalls()).containsExactly(new CallOfThread(901, 0, 200, 1_100));
    assertThat(take(exchange(100, 800, 1_990, End.RESPONSE)).cpuNs()).isEqualTo(3);
  }

  @Test
  void doesNotTellOfCallsThatMayBeOfAnything() {
    // Reads without blocking: a loop that serves many in turns.
    pickUp(1, 100, 1_000);
    call(1, 900, 1_100);
    answer(1, 100, 1_200);
    // Handed on: another thread answered.
    pickUpBlocking(2, 200, 2_000);
    call(2, 901, 2_100);
    answer(3, 200, 2_200);
    // Two at once.
    pickUpBlocking(4, 300, 3_000);
    call(4, 902, 3_050);
    pickUpBlocking(4, 400, 3_100);
    call(4, 903, 3_200);
    answer(4, 300, 3_300);
    answer(4, 400, 3_400);
    // None.
    call(4, 904, 4_000);
    assertThat(book.takeCalls()).isEmpty();
  }

  /// Whatever threads do, in whatever order, every nanosecond is somewhere.
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void losesNothing(long seed) {
    Random random = new Random(seed);
    Map<Integer, Long> told = new TreeMap<>();
    Map<Integer, Long> assigned = new TreeMap<>();
    long cpuTold = 0;
    long cpuAssigned = 0;
    long throttledTold = 0;
    long throttledAssigned = 0;
    long now = 1_000;
    for (int i = 0; i < 20_000; i++) {
      now += 1 + random.nextInt(100);
      if (random.nextInt(3) == 0) {
        End end = random.nextInt(4) == 0 ? End.CLOSED : End.RESPONSE;
        HttpExchange exchange =
            exchange(1 + random.nextInt(12), Math.max(1, now - random.nextInt(2_000)), now, end);
        InvocationAccount account = book.take(exchange, tenants);
        if (account != null) {
          cpuAssigned += account.cpuNs();
          throttledAssigned += account.throttledNs();
          account
              .waits()
              .forEach(wait -> assigned.merge(number(wait.culprit()), wait.ns(), Long::sum));
        }
        continue;
      }
      Cause cause = Cause.of(1 + random.nextInt(5));
      boolean ofSocket = cause == Cause.PICKUP || cause == Cause.ANSWER || cause == Cause.CALL;
      List<Wait> waits = new ArrayList<>();
      for (int culprit : new int[] {acme, noisy, 1, 2}) {
        if (random.nextBoolean()) {
          long ns = random.nextInt(1_000);
          told.merge(culprit, ns, Long::sum);
          waits.add(new Wait(culprit, 1, ns, random.nextInt((int) ns + 1)));
        }
      }
      AccountRecord record =
          new AccountRecord(
              cause,
              1 + random.nextInt(6),
              acme,
              CGROUP + random.nextInt(2),
              ofSocket ? 1 + random.nextInt(12) : 0,
              1 + random.nextInt(3),
              now - 50,
              now,
              now - random.nextInt(100),
              random.nextInt(1_000),
              random.nextInt(1_000),
              random.nextInt(1_000),
              0,
              random.nextInt(8) == 0,
              random.nextBoolean(),
              waits);
      cpuTold += record.cpuNs();
      throttledTold += record.throttledNs();
      book.accept(record);
      if (random.nextInt(500) == 0) {
        book.expire(now + 300_000_000_000L);
      }
    }
    Amounts rest = book.unassigned();
    rest.add(book.held());
    assertThat(cpuAssigned + rest.cpuNs).isEqualTo(cpuTold);
    assertThat(throttledAssigned + rest.throttledNs).isEqualTo(throttledTold);
    rest.waits.forEach((_, culprit, ns) -> assigned.merge(culprit, ns, Long::sum));
    assertThat(assigned).isEqualTo(told);
    assertThat(cpuAssigned).isPositive();
  }

  private int number(String name) {
    for (int candidate : new int[] {acme, noisy, 1, 2}) {
      if (tenants.name(candidate).equals(name)) {
        return candidate;
      }
    }
    throw new AssertionError(name);
  }

  private InvocationAccount take(HttpExchange exchange) {
    return Objects.requireNonNull(book.take(exchange, tenants));
  }

  private long waitNs(Amounts amounts, int wanted) {
    long[] sum = {0};
    amounts.waits.forEach((victim, culprit, ns) -> {
      assertThat(victim).isEqualTo(acme);
      sum[0] += culprit == wanted ? ns : 0;
    });
    return sum[0];
  }

  private static Wait wait(int culprit, long ns, long wokenNs) {
    return new Wait(culprit, 1, ns, wokenNs);
  }

  private AccountRecord record(
      Cause cause,
      int tid,
      long cookie,
      long timeNs,
      long wokenNs,
      long cpuNs,
      long blockedNs,
      long throttledNs,
      Wait... waits) {
    return new AccountRecord(
        cause,
        tid,
        acme,
        CGROUP,
        cookie,
        cause == Cause.PICKUP ? requests.merge(cookie, 1, Integer::sum) : request(cookie),
        0,
        timeNs,
        wokenNs,
        cpuNs,
        blockedNs,
        throttledNs,
        0,
        false,
        false,
        List.of(waits));
  }

  private int request(long cookie) {
    return requests.getOrDefault(cookie, 0);
  }

  private static AccountRecord helped(AccountRecord record) {
    return with(record, true, record.blocking());
  }

  private static AccountRecord blocking(AccountRecord record) {
    return with(record, record.helped(), true);
  }

  private static AccountRecord with(AccountRecord record, boolean helped, boolean blocking) {
    return new AccountRecord(
        record.cause(),
        record.tid(),
        record.tenant(),
        record.cgroupId(),
        record.cookie(),
        record.request(),
        record.fromNs(),
        record.timeNs(),
        record.wokenNs(),
        record.cpuNs(),
        record.blockedNs(),
        record.throttledNs(),
        record.throttledWokenNs(),
        helped,
        blocking,
        record.waits());
  }

  private void pickUp(int tid, long cookie, long timeNs) {
    book.accept(record(Cause.PICKUP, tid, cookie, timeNs, 900, 0, 0, 0));
  }

  private void pickUpBlocking(int tid, long cookie, long timeNs) {
    book.accept(blocking(record(Cause.PICKUP, tid, cookie, timeNs, 900, 0, 0, 0)));
  }

  private void call(int tid, long cookie, long timeNs) {
    book.accept(record(Cause.CALL, tid, cookie, timeNs, 900, 3, 0, 0));
  }

  private void answer(int tid, long cookie, long timeNs) {
    book.accept(record(Cause.ANSWER, tid, cookie, timeNs, 900, 0, 0, 0));
  }

  private static HttpExchange exchange(long cookie, long headNs, long tailNs, End end) {
    return new HttpExchange(
        Role.SERVER,
        cookie,
        CGROUP,
        SOMEWHERE,
        SOMEWHERE,
        1,
        headNs,
        tailNs,
        tailNs,
        new byte[0],
        true,
        200,
        2,
        end,
        -1,
        false);
  }
}
