package io.headspan.agent.export;

import com.google.common.util.concurrent.MoreExecutors;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.CompressorRegistry;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.util.AdvancedTlsX509KeyManager;
import io.grpc.util.AdvancedTlsX509TrustManager;
import io.headspan.wire.tls.TlsException;
import io.headspan.wire.tls.TlsFiles;
import io.headspan.wire.tls.TlsMaterial;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/// Connections to the collector, in clear text or with TLS. With TLS, a call first looks whether
/// the files have changed; the next connection is made with what is in them then.
public final class CollectorChannel {
  private CollectorChannel() {}

  /// A channel that connects when it is used.
  ///
  /// @param tls certificates; null for clear text
  /// @throws TlsException if the certificates cannot be used
  public static ManagedChannel open(String host, int port, @Nullable TlsFiles tls) {
    return open(host, port, tls, null);
  }

  /// The same, with a token.
  ///
  /// @param token what to show to the collector; null for nothing
  public static ManagedChannel open(
      String host, int port, @Nullable TlsFiles tls, @Nullable CollectorToken token) {
    CompressorRegistry compressors = CompressorRegistry.newEmptyInstance();
    compressors.register(new ZstdCodec());
    NettyChannelBuilder channel =
        NettyChannelBuilder.forAddress(host, port)
            .executor(MoreExecutors.directExecutor())
            .compressorRegistry(compressors);
    if (token != null) {
      channel.intercept(token);
    }
    if (tls == null) {
      return channel.usePlaintext().build();
    }
    Credentials credentials = new Credentials(tls);
    return channel.sslContext(credentials.context()).intercept(credentials).build();
  }

  /// What the TLS engine asks, brought up to date before every call.
  private static final class Credentials implements ClientInterceptor {
    private final TlsFiles files;
    private final AdvancedTlsX509TrustManager trust;
    private final @Nullable AdvancedTlsX509KeyManager key;
    private @Nullable TlsMaterial used;

    Credentials(TlsFiles files) {
      this.files = files;
      try {
        trust = AdvancedTlsX509TrustManager.newBuilder().build();
        key = files.current().chain().isEmpty() ? null : new AdvancedTlsX509KeyManager();
        if (files.current().authorities().isEmpty()) {
          trust.useSystemDefaultTrustCerts();
        }
      } catch (GeneralSecurityException e) {
        throw unusable(e);
      }
      refresh();
    }

    io.netty.handler.ssl.SslContext context() {
      SslContextBuilder builder = SslContextBuilder.forClient().trustManager(trust);
      if (key != null) {
        builder = builder.keyManager(key);
      }
      try {
        // The JDK's own engine: nothing native to load, and one batch a second needs no other.
        return GrpcSslContexts.configure(builder, SslProvider.JDK).build();
      } catch (SSLException e) {
        throw unusable(e);
      }
    }

    @Override
    public <Q, A> ClientCall<Q, A> interceptCall(
        MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
      refresh();
      return next.newCall(method, options);
    }

    private synchronized void refresh() {
      TlsMaterial current = files.current();
      if (current == used) {
        return;
      }
      try {
        if (!current.authorities().isEmpty()) {
          trust.updateTrustCredentials(current.authorities().toArray(X509Certificate[]::new));
        }
        if (key != null && current.key().isPresent()) {
          key.updateIdentityCredentials(
              current.chain().toArray(X509Certificate[]::new), current.key().get());
        }
        used = current;
      } catch (IOException | GeneralSecurityException e) {
        throw unusable(e);
      }
    }

    private static TlsException unusable(Exception cause) {
      return new TlsException("certificates cannot be used: reason=" + cause.getMessage(), cause);
    }
  }
}
