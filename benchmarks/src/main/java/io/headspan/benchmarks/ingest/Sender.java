package io.headspan.benchmarks.ingest;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Codec;
import io.grpc.Compressor;
import io.grpc.CompressorRegistry;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.headspan.benchmarks.ingest.PreparedLoad.Encoding;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse;
import io.opentelemetry.proto.collector.trace.v1.TraceServiceGrpc;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowTracesServiceGrpc;
import io.opentelemetry.proto.experimental.arrow.v1.BatchStatus;
import io.opentelemetry.proto.experimental.arrow.v1.StatusCode;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// Sends prepared loads over gRPC: each stream on a connection of its own, as agents on several
/// nodes do, with a few batches unanswered at a time.
final class Sender implements AutoCloseable {
  private static final int UNANSWERED_MAX = 8;
  private static final int TIMEOUT_SECONDS = 120;

  private final List<ManagedChannel> channels = new ArrayList<>();

  /// @param streams how many connections
  Sender(String host, int port, int streams) {
    CompressorRegistry compressors = CompressorRegistry.newEmptyInstance();
    compressors.register(Codec.Identity.NONE);
    compressors.register(new AlreadyCompressed("zstd"));
    compressors.register(new AlreadyCompressed("zstdarrow3"));
    for (int i = 0; i < streams; i++) {
      channels.add(
          NettyChannelBuilder.forAddress(host, port)
              .usePlaintext()
              .compressorRegistry(compressors)
              .build());
    }
  }

  /// Sends all messages and waits for all answers.
  ///
  /// @return how long that took, s
  /// @throws IllegalStateException if a batch was not stored
  double send(Encoding encoding, PreparedLoad load) throws InterruptedException {
    long start = System.nanoTime();
    List<CompletableFuture<Void>> pending = new ArrayList<>();
    for (int i = 0; i < load.streams().size(); i++) {
      ManagedChannel channel = channels.get(i);
      List<byte[]> messages = load.streams().get(i);
      pending.add(
          switch (encoding) {
            case OTAP -> new ArrowStream(channel, messages).start();
            case OTLP -> new OtlpCalls(channel, messages).start();
          });
    }
    try {
      CompletableFuture.allOf(pending.toArray(CompletableFuture[]::new))
          .get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw new IllegalStateException("the receiver did not take the load", e.getCause());
    } catch (TimeoutException e) {
      throw new IllegalStateException(
          "the receiver did not take the load within " + TIMEOUT_SECONDS + " s", e);
    }
    return (System.nanoTime() - start) / 1e9;
  }

  @Override
  public void close() {
    for (ManagedChannel channel : channels) {
      channel.shutdownNow();
    }
  }

  /// One OTel-Arrow stream.
  private static final class ArrowStream extends ClientCall.Listener<BatchStatus> {
    private final List<byte[]> messages;
    private final ClientCall<byte[], BatchStatus> call;
    private final CompletableFuture<Void> done = new CompletableFuture<>();
    private int sent;
    private int answered;

    ArrowStream(ManagedChannel channel, List<byte[]> messages) {
      this.messages = messages;
      call =
          channel.newCall(
              raw(ArrowTracesServiceGrpc.getArrowTracesMethod()),
              CallOptions.DEFAULT.withCompression("zstdarrow3"));
    }

    CompletableFuture<Void> start() {
      call.start(this, new Metadata());
      call.setMessageCompression(true);
      call.request(messages.size());
      synchronized (this) {
        fill();
      }
      return done;
    }

    @Override
    public void onMessage(BatchStatus status) {
      if (status.getStatusCode() != StatusCode.OK) {
        done.completeExceptionally(new IllegalStateException("batch not stored: " + status));
        call.cancel("a batch was not stored", null);
        return;
      }
      synchronized (this) {
        answered++;
        fill();
      }
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      if (status.isOk() && answered == messages.size()) {
        done.complete(null);
      } else {
        done.completeExceptionally(
            new IllegalStateException(
                "stream ended early: status=" + status + ", answered=" + answered));
      }
    }

    private void fill() {
      while (sent < messages.size() && sent - answered < UNANSWERED_MAX) {
        call.sendMessage(messages.get(sent++));
        if (sent == messages.size()) {
          call.halfClose();
        }
      }
    }
  }

  /// OTLP calls on one connection.
  private static final class OtlpCalls {
    private final ManagedChannel channel;
    private final List<byte[]> messages;
    private final CompletableFuture<Void> done = new CompletableFuture<>();
    private int sent;
    private int answered;

    OtlpCalls(ManagedChannel channel, List<byte[]> messages) {
      this.channel = channel;
      this.messages = messages;
    }

    synchronized CompletableFuture<Void> start() {
      fill();
      return done;
    }

    private void fill() {
      while (sent < messages.size() && sent - answered < UNANSWERED_MAX) {
        send(messages.get(sent++));
      }
    }

    private void send(byte[] message) {
      ClientCall<byte[], ExportTraceServiceResponse> call =
          channel.newCall(
              raw(TraceServiceGrpc.getExportMethod()), CallOptions.DEFAULT.withCompression("zstd"));
      call.start(
          new ClientCall.Listener<ExportTraceServiceResponse>() {
            @Override
            public void onMessage(ExportTraceServiceResponse response) {
              if (response.getPartialSuccess().getRejectedSpans() > 0) {
                done.completeExceptionally(
                    new IllegalStateException("spans not stored: " + response));
              }
            }

            @Override
            public void onClose(Status status, Metadata trailers) {
              answered(status);
            }
          },
          new Metadata());
      call.setMessageCompression(true);
      call.request(1);
      call.sendMessage(message);
      call.halfClose();
    }

    private synchronized void answered(Status status) {
      if (!status.isOk()) {
        done.completeExceptionally(status.asRuntimeException());
        return;
      }
      answered++;
      if (answered == messages.size()) {
        done.complete(null);
      } else {
        fill();
      }
    }
  }

  private static <S> MethodDescriptor<byte[], S> raw(MethodDescriptor<?, S> method) {
    return method.toBuilder(new RawMarshaller(), method.getResponseMarshaller()).build();
  }

  private static final class RawMarshaller implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override
    public byte[] parse(InputStream stream) {
      throw new IllegalStateException("requests are only written here");
    }
  }

  /// Announces an encoding for bytes that have it already.
  private record AlreadyCompressed(String name) implements Compressor {
    @Override
    public String getMessageEncoding() {
      return name;
    }

    @Override
    public OutputStream compress(OutputStream out) {
      return out;
    }
  }
}
