package io.headspan.loadgen.runc;

import io.headspan.loadgen.service.HttpService;
import java.net.URISyntaxException;
import java.nio.file.Path;

/// Where the service's classes are on this machine: this module's jar, or its class directory in a
/// build.
final class ServiceClasses {
  static final String MAIN = HttpService.class.getName();

  private ServiceClasses() {}

  static Path location() {
    try {
      return Path.of(HttpService.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new RuncException("the service's classes are not in a file or directory", e);
    }
  }
}
