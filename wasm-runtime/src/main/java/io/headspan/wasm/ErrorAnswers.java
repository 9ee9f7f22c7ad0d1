package io.headspan.wasm;

import com.linecorp.armeria.common.AggregatedHttpResponse;
import com.linecorp.armeria.common.ContentTooLargeException;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.server.HttpResponseException;
import com.linecorp.armeria.server.HttpStatusException;
import com.linecorp.armeria.server.RequestTimeoutException;
import com.linecorp.armeria.server.ServerErrorHandler;
import com.linecorp.armeria.server.ServiceConfig;
import com.linecorp.armeria.server.ServiceRequestContext;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What the server itself has to say about a request, in the form of [Answers].
final class ErrorAnswers implements ServerErrorHandler {
  private static final Logger logger = LoggerFactory.getLogger(ErrorAnswers.class);

  @Override
  public @Nullable HttpResponse onServiceException(ServiceRequestContext context, Throwable cause) {
    if (cause instanceof HttpStatusException
        || cause instanceof HttpResponseException
        || cause instanceof ContentTooLargeException
        || cause instanceof RequestTimeoutException) {
      return null;
    }
    if (context.isCancelled()) {
      logger.debug("the caller went away: path={}", context.path(), cause);
    } else {
      logger.warn("a request failed: method={}, path={}", context.method(), context.path(), cause);
    }
    return Answers.error(
        HttpStatus.INTERNAL_SERVER_ERROR, "internal", "the executor failed; its log says how");
  }

  @Override
  public AggregatedHttpResponse renderStatus(
      @Nullable ServiceRequestContext context,
      ServiceConfig config,
      @Nullable RequestHeaders headers,
      HttpStatus status,
      @Nullable String description,
      @Nullable Throwable cause) {
    if (cause instanceof ContentTooLargeException tooLarge) {
      return Answers.errorWhole(
          status,
          "too_large",
          "the body is larger than the executor takes: limitBytes=" + tooLarge.maxContentLength());
    }
    String code = status.reasonPhrase().toLowerCase(Locale.ROOT).replaceAll("[^a-z]+", "_");
    return Answers.errorWhole(status, code, description == null ? status.toString() : description);
  }
}
