package io.headspan.collector.receive;

import com.github.luben.zstd.ZstdOutputStreamNoFinalizer;
import io.grpc.Compressor;
import io.grpc.CompressorRegistry;
import java.io.IOException;
import java.io.OutputStream;
import java.util.zip.GZIPOutputStream;
import org.xerial.snappy.SnappyFramedOutputStream;

/// The compressors that OpenTelemetry exporters use, for clients in tests.
public final class TestCompressors {
  private TestCompressors() {}

  public static CompressorRegistry registry() {
    CompressorRegistry registry = CompressorRegistry.newEmptyInstance();
    registry.register(new Named("gzip", GZIPOutputStream::new));
    registry.register(new Named("zstd", ZstdOutputStreamNoFinalizer::new));
    registry.register(new Named("zstdarrow5", ZstdOutputStreamNoFinalizer::new));
    registry.register(new Named("snappy", SnappyFramedOutputStream::new));
    registry.register(new Named("lzma", ZstdOutputStreamNoFinalizer::new));
    return registry;
  }

  @FunctionalInterface
  private interface Wrapper {
    OutputStream wrap(OutputStream out) throws IOException;
  }

  private record Named(String name, Wrapper wrapper) implements Compressor {
    @Override
    public String getMessageEncoding() {
      return name;
    }

    @Override
    public OutputStream compress(OutputStream out) throws IOException {
      return wrapper.wrap(out);
    }
  }
}
