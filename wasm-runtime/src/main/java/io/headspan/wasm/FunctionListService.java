package io.headspan.wasm;

import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.ServiceRequestContext;
import java.util.Map;

/// `GET /functions`
final class FunctionListService implements HttpService {
  private final Functions functions;

  FunctionListService(Functions functions) {
    this.functions = functions;
  }

  @Override
  public HttpResponse serve(ServiceRequestContext context, HttpRequest request) {
    if (context.method() != HttpMethod.GET && context.method() != HttpMethod.HEAD) {
      return Answers.error(
          HttpStatus.METHOD_NOT_ALLOWED,
          "method",
          "the list of functions can only be read: method=" + context.method());
    }
    return Answers.json(
        HttpStatus.OK,
        Map.of("functions", functions.list().stream().map(FunctionView::of).toList()));
  }
}
