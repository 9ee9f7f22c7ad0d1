package io.headspan.query.tempo;

import com.google.protobuf.Message;
import com.google.protobuf.TextFormat;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.server.ServiceRequestContext;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.headspan.query.access.Access;
import io.headspan.query.http.QueryThreads;
import io.headspan.query.http.Request;
import io.headspan.query.http.RequestException;
import io.headspan.query.tempopb.QueryInstantRequest;
import io.headspan.query.tempopb.QueryInstantResponse;
import io.headspan.query.tempopb.QueryRangeRequest;
import io.headspan.query.tempopb.QueryRangeResponse;
import io.headspan.query.tempopb.SearchRequest;
import io.headspan.query.tempopb.SearchResponse;
import io.headspan.query.tempopb.SearchTagValuesRequest;
import io.headspan.query.tempopb.SearchTagValuesResponse;
import io.headspan.query.tempopb.SearchTagValuesV2Response;
import io.headspan.query.tempopb.SearchTagsRequest;
import io.headspan.query.tempopb.SearchTagsResponse;
import io.headspan.query.tempopb.SearchTagsV2Response;
import io.headspan.query.tempopb.StreamingQuerierGrpc;
import io.headspan.query.tempopb.TagValue;
import io.headspan.query.traceql.Query;
import io.headspan.query.traceql.SearchPlan;
import io.headspan.query.traceql.SearchPlanner;
import io.headspan.query.traceql.TimeGrid;
import io.headspan.query.traceql.TimeRange;
import io.headspan.query.traceql.TraceQl;
import io.headspan.query.traceql.TraceQlException;
import io.headspan.storage.StoreException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Tempo's `StreamingQuerier`: what the HTTP API answers, as far as it is known, while the rest is
/// being found. A search comes in groups of traces, newest first, and names by scope.
final class StreamingQuerier extends StreamingQuerierGrpc.StreamingQuerierImplBase {
  private static final Logger logger = LoggerFactory.getLogger(StreamingQuerier.class);
  private static final long NS_PER_SECOND = 1_000_000_000;

  /// Traces of a search's first answer; each further one has twice as many.
  private static final int FIRST_TRACES = 5;

  private final Search search;
  private final Metrics metrics;
  private final Tags tags;
  private final QueryThreads threads;

  StreamingQuerier(Search search, Metrics metrics, Tags tags, QueryThreads threads) {
    this.search = search;
    this.metrics = metrics;
    this.tags = tags;
    this.threads = threads;
  }

  @Override
  public void search(SearchRequest message, StreamObserver<SearchResponse> answers) {
    stream(message, answers, (request, next) -> search(request, message, next));
  }

  private void search(Request request, SearchRequest message, Consumer<SearchResponse> next) {
    String text =
        message.getQuery().isBlank()
            ? TagFilter.toTraceQl(message.getTagsMap())
            : message.getQuery();
    Query query =
        TraceQl.parse(
            text
                + TagFilter.durationStages(
                    milliseconds(message.getMinDurationMs()),
                    milliseconds(message.getMaxDurationMs())));
    SearchPlan plan =
        SearchPlanner.plan(query, range(request, message.getStart(), message.getEnd()));
    int limit = bounded("limit", message.getLimit(), Search.DEFAULT_LIMIT, Search.MAX_LIMIT);
    int spansPerSet =
        bounded(
            "spans_per_span_set",
            message.getSpansPerSpanSet(),
            Search.DEFAULT_SPANS_PER_SET,
            Search.MAX_SPANS_PER_SET);
    Search.Found found = search.find(request, plan, limit, spansPerSet);
    List<String> ids = found.ids();
    int from = 0;
    int count = FIRST_TRACES;
    while (from < ids.size()) {
      int to = Math.min(ids.size(), from + count);
      next.accept(
          TempoMessages.search(
              search.details(request, found, ids.subList(from, to)), to, ids.size()));
      from = to;
      count *= 2;
    }
    if (ids.isEmpty()) {
      next.accept(TempoMessages.search(List.of(), 1, 1));
    }
  }

  private static Optional<Duration> milliseconds(int value) {
    return value == 0
        ? Optional.empty()
        : Optional.of(Duration.ofMillis(Integer.toUnsignedLong(value)));
  }

  private static TimeRange range(Request request, int start, int end) {
    return request.timeRange(
        Integer.toUnsignedLong(start) * NS_PER_SECOND, Integer.toUnsignedLong(end) * NS_PER_SECOND);
  }

  private static int bounded(String name, int value, int otherwise, int max) {
    if (value < 0 || value > max) {
      throw RequestException.badRequest(
          "not a number in range: "
              + name
              + "="
              + Integer.toUnsignedString(value)
              + ", want=1.."
              + max);
    }
    return value == 0 ? otherwise : value;
  }

  @Override
  public void searchTags(SearchTagsRequest message, StreamObserver<SearchTagsResponse> answers) {
    stream(
        message,
        answers,
        (request, next) -> {
          TreeSet<String> all = new TreeSet<>();
          names(request, message, _ -> {}).values().forEach(all::addAll);
          next.accept(SearchTagsResponse.newBuilder().addAllTagNames(all).build());
        });
  }

  @Override
  public void searchTagsV2(
      SearchTagsRequest message, StreamObserver<SearchTagsV2Response> answers) {
    stream(
        message,
        answers,
        (request, next) -> {
          Map<String, List<String>> all =
              names(request, message, names -> next.accept(TempoMessages.tags(names)));
          if (all.isEmpty()) {
            next.accept(SearchTagsV2Response.getDefaultInstance());
          }
        });
  }

  private Map<String, List<String>> names(
      Request request, SearchTagsRequest message, Consumer<Map<String, List<String>>> sofar) {
    return tags.names(
        request,
        message.getScope().isEmpty() ? Tags.NO_SCOPE : message.getScope(),
        message.getQuery(),
        range(request, message.getStart(), message.getEnd()),
        bounded(
            "max_tags_per_scope", message.getMaxTagsPerScope(), Tags.DEFAULT_LIMIT, Tags.MAX_LIMIT),
        sofar);
  }

  @Override
  public void searchTagValues(
      SearchTagValuesRequest message, StreamObserver<SearchTagValuesResponse> answers) {
    stream(
        message,
        answers,
        (request, next) ->
            next.accept(
                SearchTagValuesResponse.newBuilder()
                    .addAllTagValues(
                        values(request, message).stream().map(Tags.TypedValue::text).toList())
                    .build()));
  }

  @Override
  public void searchTagValuesV2(
      SearchTagValuesRequest message, StreamObserver<SearchTagValuesV2Response> answers) {
    stream(
        message,
        answers,
        (request, next) -> {
          SearchTagValuesV2Response.Builder answer = SearchTagValuesV2Response.newBuilder();
          for (Tags.TypedValue value : values(request, message)) {
            answer.addTagValues(TagValue.newBuilder().setType(value.type()).setValue(value.text()));
          }
          next.accept(answer.build());
        });
  }

  private List<Tags.TypedValue> values(Request request, SearchTagValuesRequest message) {
    return tags.values(
        request,
        message.getTagName(),
        message.getQuery(),
        range(request, message.getStart(), message.getEnd()),
        bounded("max_tag_values", message.getMaxTagValues(), Tags.DEFAULT_LIMIT, Tags.MAX_LIMIT));
  }

  @Override
  public void metricsQueryRange(
      QueryRangeRequest message, StreamObserver<QueryRangeResponse> answers) {
    stream(
        message,
        answers,
        (request, next) -> {
          TimeRange range = request.exactRange(message.getStart(), message.getEnd());
          Query query = TraceQl.parse(message.getQuery());
          long stepNs =
              message.getStep() > 0 ? message.getStep() : Metrics.defaultStep(range).toNanos();
          int exemplars = Metrics.exemplars(query, Math.max(0, message.getExemplars()));
          Metrics.Found found =
              metrics.find(
                  request,
                  query,
                  Metrics.grid(range, stepNs),
                  exemplars,
                  bounded(
                      "max_series",
                      message.getMaxSeries(),
                      Metrics.MAX_SERIES,
                      Metrics.MAX_SERIES));
          next.accept(TempoMessages.range(found, exemplars));
        });
  }

  @Override
  public void metricsQueryInstant(
      QueryInstantRequest message, StreamObserver<QueryInstantResponse> answers) {
    stream(
        message,
        answers,
        (request, next) -> {
          TimeRange range = request.exactRange(message.getStart(), message.getEnd());
          Metrics.Found found =
              metrics.find(
                  request,
                  TraceQl.parse(message.getQuery()),
                  TimeGrid.instant(range.fromNs(), range.toNs()),
                  0,
                  Metrics.MAX_SERIES);
          next.accept(TempoMessages.instant(found));
        });
  }

  /// Answers on a thread that may wait for the store; what `work` throws ends the stream.
  private <T> void stream(
      Message message, StreamObserver<T> answers, BiConsumer<Request, Consumer<T>> work) {
    ServiceRequestContext context = ServiceRequestContext.current();
    Access.noteQuery(context, TextFormat.printer().emittingSingleLine(true).printToString(message));
    try {
      threads.run(
          context,
          request -> {
            try {
              work.accept(request, answers::onNext);
              answers.onCompleted();
            } catch (RuntimeException e) {
              answers.onError(status(e).asRuntimeException());
            }
          });
    } catch (RejectedExecutionException _) {
      answers.onError(
          Status.RESOURCE_EXHAUSTED
              .withDescription("too many queries at once; try again later")
              .asRuntimeException());
    }
  }

  private static Status status(RuntimeException e) {
    return switch (e) {
      case TraceQlException query -> Status.INVALID_ARGUMENT.withDescription(query.getMessage());
      case RequestException refused ->
          refusal(refused.status()).withDescription(refused.getMessage());
      case StoreException store ->
          switch (store.kind()) {
            case UNAVAILABLE -> Status.UNAVAILABLE.withDescription(store.getMessage());
            case LIMIT_EXCEEDED ->
                Status.RESOURCE_EXHAUSTED.withDescription(
                    store.getMessage() + "; ask for a shorter time range or a narrower query");
            case REJECTED, PROTOCOL ->
                QueryThreads.isTooComplex(store)
                    ? Status.INVALID_ARGUMENT.withDescription(
                        QueryThreads.TOO_COMPLEX + store.getMessage())
                    : internal(store);
          };
      default -> internal(e);
    };
  }

  private static Status refusal(HttpStatus status) {
    if (status.equals(HttpStatus.SERVICE_UNAVAILABLE)) {
      return Status.CANCELLED;
    }
    return status.equals(HttpStatus.FORBIDDEN) ? Status.PERMISSION_DENIED : Status.INVALID_ARGUMENT;
  }

  private static Status internal(RuntimeException e) {
    logger.error("request failed by a fault of this program", e);
    return Status.INTERNAL.withDescription("internal error: " + e);
  }
}
