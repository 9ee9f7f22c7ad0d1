package io.headspan.query.http;

import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.util.TimeoutMode;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.RequestTimeoutException;
import com.linecorp.armeria.server.ServiceRequestContext;
import io.headspan.query.traceql.TraceQlException;
import io.headspan.storage.StoreException;
import java.time.Clock;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Runs handlers, which wait for the store, on a bounded number of threads, and turns what they
/// throw into answers. A request whose caller goes away, or which takes too long, interrupts its
/// handler, which ends its query.
public final class QueryThreads implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(QueryThreads.class);

  /// What an answer begins with if the store could not take the query.
  public static final String TOO_COMPLEX =
      "the query, or a regular expression in it, is too complex: ";

  /// TOO_DEEP_RECURSION, CANNOT_COMPILE_REGEXP, TOO_SLOW_PARSING of ClickHouse.
  private static final Set<Integer> TOO_COMPLEX_CODES = Set.of(306, 427, 718);

  /// Answers one request, on a thread that may block.
  @FunctionalInterface
  public interface Handler {
    HttpResponse handle(Request request);
  }

  private final ThreadPoolExecutor threads;
  private final Clock clock;

  /// @param count handlers at the same time
  /// @param waiting requests that may wait for a thread
  public QueryThreads(int count, int waiting, Clock clock) {
    this.clock = clock;
    threads =
        new ThreadPoolExecutor(
            count,
            count,
            1,
            TimeUnit.MINUTES,
            new ArrayBlockingQueue<>(waiting),
            Thread.ofPlatform().name("query-", 0).daemon().factory());
    threads.allowCoreThreadTimeOut(true);
  }

  /// A service that runs `handler` for each request.
  public HttpService service(Handler handler) {
    return (context, _) -> HttpResponse.of(submit(context, handler));
  }

  /// What is answered where a server ended a request for its time: each of its statements had kept
  /// its own limit. Null for all other causes.
  public static @Nullable HttpResponse timedOut(ServiceRequestContext context, Throwable cause) {
    return cause instanceof RequestTimeoutException
        ? error(
            HttpStatus.UNPROCESSABLE_ENTITY,
            "the request took too long: limitMillis="
                + context.config().requestTimeoutMillis()
                + "; ask for a shorter time range or a narrower query")
        : null;
  }

  /// Runs `work` for a request that is answered otherwise than by an [HttpResponse]; it is
  /// interrupted if the caller goes away.
  ///
  /// @throws RejectedExecutionException if too many wait
  public void run(ServiceRequestContext context, Consumer<Request> work) {
    limitTime(context);
    Future<?> running = threads.submit(() -> work.accept(new Request(context, clock)));
    CompletableFuture<?> _ =
        context
            .whenRequestCancelling()
            .thenAccept(_ -> {
              boolean _ = running.cancel(true);
            });
  }

  /// A stream has no limit by itself, or the one that its caller wants.
  private static void limitTime(ServiceRequestContext context) {
    long mostMillis = context.config().virtualHost().requestTimeoutMillis();
    if (context.requestTimeoutMillis() == 0 || context.requestTimeoutMillis() > mostMillis) {
      context.setRequestTimeoutMillis(TimeoutMode.SET_FROM_START, mostMillis);
    }
  }

  private CompletableFuture<HttpResponse> submit(ServiceRequestContext context, Handler handler) {
    CompletableFuture<HttpResponse> response = new CompletableFuture<>();
    try {
      Future<?> running =
          threads.submit(() -> response.complete(answer(new Request(context, clock), handler)));
      CompletableFuture<?> _ =
          context
              .whenRequestCancelling()
              .thenAccept(cause -> {
                running.cancel(true);
                response.completeExceptionally(cause);
              });
    } catch (RejectedExecutionException _) {
      response.complete(
          error(
              HttpStatus.TOO_MANY_REQUESTS,
              "too many queries at once: running="
                  + threads.getMaximumPoolSize()
                  + ", waiting="
                  + threads.getQueue().size()
                  + "; try again later"));
    }
    return response;
  }

  private static HttpResponse answer(Request request, Handler handler) {
    try {
      return handler.handle(request);
    } catch (RequestException e) {
      return error(e.status(), message(e));
    } catch (TraceQlException e) {
      return error(HttpStatus.BAD_REQUEST, message(e));
    } catch (StoreException e) {
      return storeError(e);
    } catch (RuntimeException e) {
      logger.error("request failed by a fault of this program", e);
      return error(HttpStatus.INTERNAL_SERVER_ERROR, "internal error: " + e);
    }
  }

  private static HttpResponse storeError(StoreException e) {
    return switch (e.kind()) {
      case UNAVAILABLE -> error(HttpStatus.SERVICE_UNAVAILABLE, message(e));
      case LIMIT_EXCEEDED ->
          error(
              HttpStatus.UNPROCESSABLE_ENTITY,
              message(e) + "; ask for a shorter time range or a narrower query");
      case REJECTED -> {
        if (isTooComplex(e)) {
          yield error(HttpStatus.UNPROCESSABLE_ENTITY, TOO_COMPLEX + message(e));
        }
        logger.error("the store refused a statement of ours", e);
        yield error(HttpStatus.INTERNAL_SERVER_ERROR, message(e));
      }
      case PROTOCOL -> {
        logger.error("the store's answer cannot be read", e);
        yield error(HttpStatus.BAD_GATEWAY, message(e));
      }
    };
  }

  /// Whether the store refused a statement for its depth, or for a regular expression that is too
  /// large when its repetitions are written out.
  public static boolean isTooComplex(StoreException e) {
    return e.kind() == StoreException.Kind.REJECTED && TOO_COMPLEX_CODES.contains(e.code());
  }

  private static String message(RuntimeException e) {
    String message = e.getMessage();
    return message == null ? e.getClass().getSimpleName() : message;
  }

  private static HttpResponse error(HttpStatus status, String message) {
    return HttpResponse.of(status, MediaType.PLAIN_TEXT_UTF_8, message);
  }

  @Override
  public void close() {
    threads.shutdownNow();
  }
}
