package io.headspan.query.page;

import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpHeaders;
import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.server.ServerBuilder;
import com.linecorp.armeria.server.ServiceRequestContext;
import com.linecorp.armeria.server.encoding.EncodingService;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.stream.Collectors;

/// The web page at the API's root. Its script and style are named after their content, so browsers
/// keep them for ever and ask for the page itself every time. It may load from this API and from
/// nowhere else, run no script that stands in it, and be framed by nobody.
public final class Page {
  private static final String INDEX = "index.html";
  private static final String POLICY =
      "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
          + "object-src 'none'; require-trusted-types-for 'script'";

  /// Scripts and styles: the hash in the name changes with the content.
  private static final String FOR_EVER = "public, max-age=31536000, immutable";

  private static final String ASK_AGAIN = "no-cache";

  private static final int LEAST_ENCODED_BYTES = 1024;

  /// One file, with all that is said of it.
  private record PageFile(HttpHeaders headers, MediaType type, String tag, HttpData content) {
    HttpResponse answer(HttpRequest request) {
      boolean known = request.headers().getAll(HttpHeaderNames.IF_NONE_MATCH).contains(tag);
      ResponseHeaders answered =
          ResponseHeaders.builder(known ? HttpStatus.NOT_MODIFIED : HttpStatus.OK)
              .add(headers)
              .contentType(type)
              .build();
      boolean withContent = !known && request.method() != HttpMethod.HEAD;
      return withContent ? HttpResponse.of(answered, content) : HttpResponse.of(answered);
    }
  }

  /// The names of the page's files, by their paths.
  private static final Map<String, String> PATHS = paths();

  private Page() {}

  /// Whether a path is that of one of the page's files.
  public static boolean isFile(String path) {
    return PATHS.containsKey(path);
  }

  private static Map<String, String> paths() {
    return new String(read("files.txt"), StandardCharsets.UTF_8)
        .lines()
        .filter(name -> !name.isBlank())
        .collect(
            Collectors.toUnmodifiableMap(
                name -> name.equals(INDEX) ? "/" : "/" + name, name -> name));
  }

  /// Adds the page's files.
  public static void addTo(ServerBuilder server) {
    for (Map.Entry<String, String> path : PATHS.entrySet()) {
      PageFile file = file(path.getValue());
      server
          .route()
          .methods(HttpMethod.GET, HttpMethod.HEAD)
          .path(path.getKey())
          .decorator(
              EncodingService.builder()
                  .minBytesToForceChunkedEncoding(LEAST_ENCODED_BYTES)
                  .newDecorator())
          .build((ServiceRequestContext _, HttpRequest request) -> file.answer(request));
    }
  }

  private static PageFile file(String name) {
    byte[] content = read(name);
    String tag = "\"" + digest(content) + "\"";
    boolean keeps = name.endsWith(".js") || name.endsWith(".css");
    HttpHeaders headers =
        HttpHeaders.builder()
            .add(HttpHeaderNames.CONTENT_SECURITY_POLICY, POLICY)
            .add(HttpHeaderNames.X_CONTENT_TYPE_OPTIONS, "nosniff")
            .add(HttpHeaderNames.REFERRER_POLICY, "no-referrer")
            .add(HttpHeaderNames.ETAG, tag)
            .add(HttpHeaderNames.CACHE_CONTROL, keeps ? FOR_EVER : ASK_AGAIN)
            .build();
    return new PageFile(headers, type(name), tag, HttpData.wrap(content));
  }

  private static MediaType type(String name) {
    return switch (name.substring(name.lastIndexOf('.') + 1)) {
      case "html" -> MediaType.HTML_UTF_8;
      case "js" -> MediaType.JAVASCRIPT_UTF_8;
      case "css" -> MediaType.CSS_UTF_8;
      case "svg" -> MediaType.SVG_UTF_8;
      default ->
          throw new IllegalStateException("a file of a kind that the page has not: name=" + name);
    };
  }

  private static byte[] read(String name) {
    try (InputStream stream = Page.class.getResourceAsStream(name)) {
      if (stream == null) {
        throw new IllegalStateException("the page was not built: missing=" + name);
      }
      return stream.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String digest(byte[] content) {
    try {
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(content);
      return HexFormat.of().formatHex(digest, 0, 16);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
