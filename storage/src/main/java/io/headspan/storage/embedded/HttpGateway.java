package io.headspan.storage.embedded;

import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.QueryParams;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.ServiceRequestContext;
import io.headspan.storage.StoreException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.GZIPInputStream;
import net.jpountz.lz4.LZ4FrameInputStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// ClickHouse's HTTP interface in front of the engine: `/ping`, `/replicas_status`, and statements
/// by GET or POST, with the statement in the `query` parameter, the body, or begun in one and
/// continued in the other.
///
/// Each statement runs on a thread of a bounded pool, since a call into the engine blocks; a
/// bounded number waits for a thread, and more are refused with 503. INSERT data go from the
/// network to the engine part by part, results the other way, each at the pace of the slower side.
/// A client that goes away has its statement killed.
final class HttpGateway implements HttpService, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(HttpGateway.class);

  private static final int WAITING_MAX = 256;

  /// The engine analyses and plans a statement by recursion on the thread that hands it over, and
  /// gives up beyond two thirds of its stack. ClickHouse's own threads have as much.
  static final long STATEMENT_STACK_BYTES = 8 << 20;

  /// As ClickHouse's `max_query_size`: an INSERT's data may begin no later.
  private static final int HEAD_BYTES = 256 * 1024;

  /// The longest statement that has no data of its own.
  private static final int STATEMENT_MAX_BYTES = 16 << 20;

  private static final int INSERT_PART_BYTES = 256 * 1024;

  /// What is read of a body after its INSERT has failed.
  private static final long DRAIN_MAX_BYTES = 1L << 30;

  private static final Duration STOP_LIMIT = Duration.ofSeconds(10);

  private final Engine engine;
  private final Optional<ExternalAccess> externalAccess;
  private final boolean loopbackOnly;
  private final Optional<GroupedInserts> groups;
  private final ThreadPoolExecutor workers;

  /// For INSERTs, so that those which wait do not keep queries waiting.
  private final ThreadPoolExecutor inserters;

  /// @param groups what INSERTs that name themselves are given to
  HttpGateway(
      Engine engine,
      Optional<ExternalAccess> externalAccess,
      Optional<GroupedInserts> groups,
      int maxConcurrent,
      boolean loopbackOnly) {
    this.engine = engine;
    this.externalAccess = externalAccess;
    this.groups = groups;
    this.loopbackOnly = loopbackOnly;
    workers = pool("store-statement-", maxConcurrent);
    inserters = pool("store-insertion-", maxConcurrent);
  }

  private static ThreadPoolExecutor pool(String name, int threads) {
    AtomicInteger number = new AtomicInteger();
    ThreadPoolExecutor pool =
        new ThreadPoolExecutor(
            threads,
            threads,
            1,
            TimeUnit.MINUTES,
            new ArrayBlockingQueue<>(WAITING_MAX),
            task ->
                Thread.ofPlatform()
                    .name(name + number.incrementAndGet())
                    .stackSize(STATEMENT_STACK_BYTES)
                    .unstarted(task));
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  @Override
  public HttpResponse serve(ServiceRequestContext context, HttpRequest httpRequest) {
    RequestHeaders headers = httpRequest.headers();
    if (isFromWebPage(headers)) {
      return HttpResponse.of(
          HttpStatus.FORBIDDEN,
          MediaType.PLAIN_TEXT_UTF_8,
          "The store does not serve web pages: it knows no users.\n");
    }
    String path = context.path();
    if (path.equals("/ping") || path.equals("/replicas_status")) {
      return ok();
    }
    if (!path.equals("/")) {
      return HttpResponse.of(
          HttpStatus.NOT_FOUND, MediaType.PLAIN_TEXT_UTF_8, "There is no handle " + path + "\n");
    }
    boolean get = headers.method() == HttpMethod.GET || headers.method() == HttpMethod.HEAD;
    if (!get && headers.method() != HttpMethod.POST) {
      return HttpResponse.of(HttpStatus.METHOD_NOT_ALLOWED);
    }
    QueryParams query = QueryParams.fromQueryString(context.query());
    if (get && query.get("query", "").isEmpty()) {
      return ok();
    }
    Reply reply = new Reply("headspan-store", engine.timeZone(), engine.version());
    RequestBody body = new RequestBody(httpRequest, context.eventLoop());
    ThreadPoolExecutor pool = isInsert(query.get("query", "")) ? inserters : workers;
    try {
      pool.execute(() -> run(headers, query, body, reply));
    } catch (RejectedExecutionException e) {
      LOG.debug("Statement refused", e);
      body.close();
      reply.fail(
          query.get("query_id", ""),
          EngineException.busy(
              "Too many statements: running="
                  + pool.getMaximumPoolSize()
                  + ", waiting="
                  + WAITING_MAX));
    }
    return reply.response();
  }

  /// Takes no more statements, and waits for those that run; the engine is to kill them.
  void stop() {
    workers.shutdown();
    inserters.shutdown();
    groups.ifPresent(GroupedInserts::stop);
  }

  /// Waits for the threads to end.
  @Override
  public void close() {
    for (ThreadPoolExecutor pool : List.of(workers, inserters)) {
      pool.shutdownNow();
      try {
        if (!pool.awaitTermination(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
          LOG.warn("Statements still running: count={}", pool.getActiveCount());
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
    groups.ifPresent(GroupedInserts::close);
  }

  private static boolean isInsert(String statement) {
    return statement.stripLeading().regionMatches(true, 0, "INSERT", 0, "INSERT".length());
  }

  private void run(RequestHeaders headers, QueryParams query, RequestBody body, Reply reply) {
    // Closed last: an error is answered when the rest of the body has been read.
    try (body) {
      String queryId = query.get("query_id", "");
      try {
        GatewayRequest request = GatewayRequest.of(headers, query);
        queryId = request.queryId();
        if (run(request, decoded(headers, request, body), reply)) {
          reply.end();
        }
      } catch (EngineException e) {
        fail(queryId, body, reply, e);
      } catch (StoreException e) {
        String reason = String.valueOf(e.getMessage());
        fail(queryId, body, reply, EngineException.busy(reason));
      } catch (IOException e) {
        LOG.debug("Request not finished: queryId={}", queryId, e);
        String reason = e.toString();
        fail(queryId, body, reply, EngineException.refusal(3, "UNEXPECTED_END_OF_FILE", reason));
      } catch (RuntimeException | Error e) {
        LOG.error("Request failed: queryId={}", queryId, e);
        reply.abort(e);
        throw e;
      }
    }
  }

  private static void fail(String queryId, RequestBody body, Reply reply, EngineException error) {
    try {
      if (!body.drain(DRAIN_MAX_BYTES)) {
        LOG.debug("Rest of the body not read: queryId={}", queryId);
      }
    } catch (IOException e) {
      LOG.debug("Rest of the body not received: queryId={}", queryId, e);
    }
    reply.fail(queryId, error);
  }

  /// @return false if another thread will answer
  private boolean run(GatewayRequest request, InputStream body, Reply reply)
      throws EngineException, IOException {
    byte[] text = request.query().getBytes(StandardCharsets.UTF_8);
    int length = text.length;
    InputStream rest = body;
    Statement statement = Statement.parse(text, length);
    if (length == 0) {
      text = body.readNBytes(HEAD_BYTES);
      length = text.length;
      statement = Statement.parse(text, length);
    }
    if (statement instanceof Statement.Query) {
      // Only an INSERT with data streams its body; of anything else it is the statement's rest.
      text = withRest(text, rest);
      length = text.length;
      statement = Statement.parse(text, length);
    }
    if (externalAccess.isPresent()) {
      int checked = statement instanceof Statement.Insert insert ? insert.head().length : length;
      externalAccess.get().check(text, checked);
    }
    if (!(statement instanceof Statement.Insert insert)) {
      carryOut(request, statement, text, rest, reply);
      return true;
    }
    InputStream data = data(Arrays.copyOfRange(text, insert.dataStart(), length), rest);
    if (groups.isEmpty() || !GroupedInserts.takes(request, insert)) {
      carryOut(request, insert, text, data, reply);
      return true;
    }
    InsertData read = groups.get().read(data);
    if (read.whole()) {
      insert(groups.get(), request, insert, read, reply);
      return false;
    }
    try {
      carryOut(request, insert, text, read.with(data), reply);
      return true;
    } finally {
      groups.get().release(read);
    }
  }

  /// @param data of an INSERT
  private void carryOut(
      GatewayRequest request, Statement statement, byte[] text, InputStream data, Reply reply)
      throws EngineException, IOException {
    try (EngineSession session = engine.lease(request.database())) {
      reply
          .whenComplete()
          .exceptionally(cause -> {
            session.kill();
            return null;
          });
      session.set(request.settings());
      switch (statement) {
        case Statement.Insert insert -> insert(request, session, insert, data, reply);
        case Statement.Query query -> {
          if (!query.stateless()) {
            session.taint();
          }
          query(request, session, query, text, reply);
        }
      }
    }
  }

  /// The data of an INSERT; not closed by who reads it, for after a failure the rest of the body is
  /// still to be drained.
  private static InputStream data(byte[] inline, InputStream rest) {
    return inline.length == 0
        ? rest
        : new SequenceInputStream(new ByteArrayInputStream(inline), rest);
  }

  private static void insert(
      GroupedInserts groups,
      GatewayRequest request,
      Statement.Insert statement,
      InsertData data,
      Reply reply) {
    String token = request.settings().getOrDefault(InsertForm.TOKEN, "");
    String format = statement.format().orElse(request.inputFormat());
    var _ =
        groups
            .insert(InsertForm.of(request, statement), token, data)
            .whenComplete((summary, failure) -> {
              try {
                switch (failure) {
                  case null -> {
                    reply.begin(request, format, summary);
                    reply.end();
                  }
                  case EngineException e -> reply.fail(request.queryId(), e);
                  default -> reply.abort(failure);
                }
              } catch (IOException e) {
                LOG.debug("Client not answered: queryId={}", request.queryId(), e);
              }
            });
  }

  private static byte[] withRest(byte[] text, InputStream rest)
      throws EngineException, IOException {
    byte[] more = rest.readNBytes(STATEMENT_MAX_BYTES - text.length + 1);
    if (text.length + more.length > STATEMENT_MAX_BYTES) {
      throw EngineException.refusal(
          EngineException.QUERY_IS_TOO_LARGE,
          "QUERY_IS_TOO_LARGE",
          "Statement is longer than " + STATEMENT_MAX_BYTES + " bytes");
    }
    if (more.length == 0) {
      return text;
    }
    // A statement begun in the URL goes on in the body on a new line.
    boolean both = text.length > 0 && text.length < HEAD_BYTES;
    byte[] whole = Arrays.copyOf(text, text.length + (both ? 1 : 0) + more.length);
    if (both) {
      whole[text.length] = '\n';
    }
    System.arraycopy(more, 0, whole, whole.length - more.length, more.length);
    return whole;
  }

  private static void insert(
      GatewayRequest request,
      EngineSession session,
      Statement.Insert statement,
      InputStream data,
      Reply reply)
      throws EngineException, IOException {
    StatementSummary summary = new StatementSummary();
    String format = statement.format().orElse(request.inputFormat());
    try (EngineSession.Insert insert =
            session.insert(statement.head(), format, request.parameters());
        Arena arena = Arena.ofConfined()) {
      MemorySegment part = arena.allocate(INSERT_PART_BYTES);
      byte[] buffer = new byte[INSERT_PART_BYTES];
      for (int count = data.read(buffer); count >= 0; count = data.read(buffer)) {
        MemorySegment.copy(buffer, 0, part, ValueLayout.JAVA_BYTE, 0, count);
        insert.append(part, count);
      }
      try (EngineResult result = insert.commit()) {
        result.addTo(summary);
      }
    }
    reply.begin(request, format, summary);
  }

  private static void query(
      GatewayRequest request,
      EngineSession session,
      Statement.Query statement,
      byte[] text,
      Reply reply)
      throws EngineException, IOException {
    StatementSummary summary = new StatementSummary();
    String format = statement.format().orElse(request.format());
    Optional<ChunkHeaders> headers =
        statement.select() && !request.whole() ? ChunkHeaders.of(format) : Optional.empty();
    if (headers.isEmpty()) {
      try (EngineResult result = session.query(text, format, request.parameters())) {
        result.addTo(summary);
        reply.begin(request, format, summary);
        reply.write(result, 0, request.compress());
      }
      return;
    }
    try (EngineSession.Chunks chunks = session.select(text, format, request.parameters())) {
      long skip = 0;
      // The status waits for the first chunk, so that nearly every error still gets its own.
      for (EngineResult chunk = chunks.next(); chunk != null; chunk = chunks.next()) {
        try (EngineResult part = chunk) {
          if (!reply.hasBegun()) {
            part.addTo(summary);
            reply.begin(request, format, summary);
            skip = headers.get().length(part);
            reply.write(part, 0, request.compress());
          } else {
            reply.write(part, skip, request.compress());
          }
        }
      }
      if (!reply.hasBegun()) {
        reply.begin(request, format, summary);
      }
    }
  }

  private static InputStream decoded(
      RequestHeaders headers, GatewayRequest request, RequestBody body)
      throws EngineException, IOException {
    MediaType type = headers.contentType();
    if (type != null && type.is(MediaType.MULTIPART_FORM_DATA)) {
      throw EngineException.refusal(
          779, "UNSUPPORTED_MEDIA_TYPE", "The embedded store does not read multipart/form-data");
    }
    String encoding = headers.get(HttpHeaderNames.CONTENT_ENCODING, "identity");
    InputStream plain =
        switch (encoding) {
          case "identity", "" -> body;
          case "gzip", "x-gzip" -> new GZIPInputStream(body);
          case "lz4" -> new LZ4FrameInputStream(body);
          default ->
              throw EngineException.refusal(
                  EngineException.NOT_IMPLEMENTED,
                  "NOT_IMPLEMENTED",
                  "The embedded store does not read Content-Encoding '"
                      + encoding
                      + "', only gzip and lz4");
        };
    return request.decompress() ? CompressedFrames.decompress(plain) : plain;
  }

  /// Whether a browser sends the request for a page: any page may send one to a loopback address,
  /// and without users nothing would keep it from the data. Clients of ClickHouse send none of
  /// these headers; an address typed into a browser passes.
  private boolean isFromWebPage(RequestHeaders headers) {
    if (headers.contains(HttpHeaderNames.ORIGIN)) {
      return true;
    }
    String site = headers.get("sec-fetch-site", "none");
    if (!site.equals("none")) {
      return true;
    }
    // A page whose name was made to resolve to this address gives that name as the host.
    String authority = headers.get(HttpHeaderNames.HOST, headers.get(":authority", ""));
    return loopbackOnly && !isAddressOrLocalhost(authority);
  }

  private static boolean isAddressOrLocalhost(String authority) {
    String host = authority.replaceFirst(":\\d+$", "");
    return host.isEmpty()
        || host.equals("localhost")
        || host.startsWith("[")
        || host.matches("[0-9.]+");
  }

  private static HttpResponse ok() {
    return HttpResponse.of(HttpStatus.OK, MediaType.PLAIN_TEXT_UTF_8, "Ok.\n");
  }
}
