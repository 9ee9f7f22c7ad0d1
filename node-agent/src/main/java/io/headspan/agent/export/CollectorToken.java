package io.headspan.agent.export;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.headspan.wire.access.ReloadedFile;
import io.headspan.wire.access.Secret;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.function.Supplier;

/// The token that the agent shows to the collector with each call. One from a file is read again
/// when the file has changed, so that it can be exchanged without a restart.
public final class CollectorToken implements ClientInterceptor {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final Supplier<Secret> current;

  private CollectorToken(Supplier<Secret> current) {
    this.current = current;
  }

  /// A token that stays.
  ///
  /// @throws IllegalArgumentException if it is none
  public static CollectorToken of(Secret token) {
    Secret checked = checked(token.text(), "the token");
    return new CollectorToken(() -> checked);
  }

  /// A token in a file.
  ///
  /// @param onBadChange is told why a changed file cannot be used; the old token stays
  /// @throws IllegalArgumentException if it holds none
  /// @throws UncheckedIOException if it cannot be read
  public static CollectorToken inFile(Path file, Consumer<RuntimeException> onBadChange) {
    ReloadedFile<Secret> reloaded =
        ReloadedFile.open(file, CollectorToken::read, _ -> {}, onBadChange);
    return new CollectorToken(reloaded::current);
  }

  private static Secret read(Path file) {
    try {
      return checked(Files.readString(file), "file=" + file);
    } catch (IOException e) {
      throw new UncheckedIOException("token cannot be read: file=" + file + ", reason=" + e, e);
    }
  }

  /// Visible ASCII, which is what a header may hold.
  private static Secret checked(String text, String what) {
    String token = text.strip();
    if (token.isEmpty() || !token.chars().allMatch(each -> each > ' ' && each < 0x7f)) {
      throw new IllegalArgumentException(
          "not a token: "
              + what
              + "; it has to be one line as `headspan token new --role agent` prints it");
    }
    return new Secret(token);
  }

  @Override
  public <Q, A> ClientCall<Q, A> interceptCall(
      MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
    return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
      @Override
      public void start(Listener<A> listener, Metadata headers) {
        headers.put(AUTHORIZATION, "Bearer " + current.get().text());
        super.start(listener, headers);
      }
    };
  }
}
