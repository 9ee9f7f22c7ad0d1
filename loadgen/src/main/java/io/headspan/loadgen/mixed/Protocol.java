package io.headspan.loadgen.mixed;

import java.util.Locale;

/// What a request is sent as, always in clear text.
enum Protocol {
  HTTP_1("h1c"),
  HTTP_2("h2c"),
  GRPC("h2c");

  private final String scheme;

  Protocol(String scheme) {
    this.scheme = scheme;
  }

  /// Of Armeria's URIs.
  String scheme() {
    return scheme;
  }

  /// As requests name it.
  String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  static Protocol of(String label) {
    return valueOf(label.toUpperCase(Locale.ROOT));
  }
}
