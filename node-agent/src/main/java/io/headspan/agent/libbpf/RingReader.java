package io.headspan.agent.libbpf;

import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Consumes the records of a BPF ring that lies in memory: the part of [RingBuffer] that makes no
/// call into the kernel.
///
/// Threads: one at a time drains. The counters may be read from any thread.
public final class RingReader {
  /// Takes one record.
  @FunctionalInterface
  public interface Handler {
    /// Takes it.
    ///
    /// @param sample the record, read-only, valid only during this call: its memory goes back to
    ///   the kernel afterwards
    void onSample(MemorySegment sample);
  }

  private final MemorySegment consumerPage;
  private final MemorySegment producerPage;
  private final MemorySegment data;
  private final long sizeBytes;

  /// Space is given back after this many bytes even in the middle of a batch, so that a long batch
  /// does not starve the producers.
  private final long releaseStepBytes;

  // Written by the draining thread only.
  private volatile long failures;
  private volatile @Nullable RuntimeException lastFailure;

  /// @param consumerPage holds the consumer position; written
  /// @param producerPage holds the producer position
  /// @param data the data area, twice in a row: twice a power of two long
  public RingReader(MemorySegment consumerPage, MemorySegment producerPage, MemorySegment data) {
    this.sizeBytes = data.byteSize() / 2;
    if (Long.bitCount(sizeBytes) != 1 || data.byteSize() % 2 != 0) {
      throw new IllegalArgumentException(
          "not twice a power of two: dataSizeBytes=" + data.byteSize());
    }
    this.consumerPage = consumerPage;
    this.producerPage = producerPage;
    this.data = data;
    this.releaseStepBytes = Math.max(sizeBytes / 4, RingLayout.HEADER_SIZE_BYTES);
  }

  /// Hands the committed records to `handler`, oldest first, until there is none, one is still
  /// being written, or `maxSamples` were handed out.
  ///
  /// A handler that throws an exception loses its sample and nothing else: that is counted
  /// ([#failures()]), the exception is kept ([#takeFailure()]), and the next sample follows. An
  /// error ends the batch and is thrown on; its sample counts as consumed.
  ///
  /// @return how many samples were handed out; `maxSamples` means that there may be more
  public int drain(Handler handler, int maxSamples) {
    // Only this thread stores the consumer position, so a plain load gives the last one.
    long consumer = (long) RingLayout.POSITION.get(consumerPage, 0L);
    long released = consumer;
    long producer = (long) RingLayout.POSITION.getAcquire(producerPage, 0L);
    int samples = 0;
    try {
      while (samples < maxSamples) {
        if (consumer >= producer) {
          producer = (long) RingLayout.POSITION.getAcquire(producerPage, 0L);
          if (consumer >= producer) {
            break;
          }
        }
        long offset = consumer & (sizeBytes - 1);
        // Acquire: the sample was written before the busy flag was cleared.
        int header = (int) RingLayout.HEADER.getAcquire(data, offset);
        if ((header & RingLayout.BUSY_BIT) != 0) {
          break;
        }
        int lengthBytes = header & RingLayout.LENGTH_MASK;
        consumer += RingLayout.recordSizeBytes(lengthBytes);
        if ((header & RingLayout.DISCARD_BIT) == 0) {
          samples++;
          handle(handler, data.asSlice(offset + RingLayout.HEADER_SIZE_BYTES, lengthBytes));
        }
        if (consumer - released >= releaseStepBytes) {
          released = consumer;
          RingLayout.POSITION.setRelease(consumerPage, 0L, consumer);
        }
      }
    } finally {
      if (consumer != released) {
        // Release: all reads of the samples come before the kernel may overwrite them.
        RingLayout.POSITION.setRelease(consumerPage, 0L, consumer);
      }
    }
    return samples;
  }

  private void handle(Handler handler, MemorySegment sample) {
    try {
      handler.onSample(sample);
    } catch (RuntimeException failure) {
      lastFailure = failure;
      countFailure();
    }
  }

  @SuppressWarnings("NonAtomicVolatileUpdate") // One writer: the draining thread.
  private void countFailure() {
    failures++;
  }

  /// Bytes that producers have reserved and we have not consumed.
  public long pendingBytes() {
    long consumer = (long) RingLayout.POSITION.getAcquire(consumerPage, 0L);
    return (long) RingLayout.POSITION.getAcquire(producerPage, 0L) - consumer;
  }

  /// Size of the data area.
  public long sizeBytes() {
    return sizeBytes;
  }

  /// How many samples a handler failed on.
  public long failures() {
    return failures;
  }

  /// The latest failure of a handler since the last call, for a log.
  public Optional<RuntimeException> takeFailure() {
    RuntimeException failure = lastFailure;
    lastFailure = null;
    return Optional.ofNullable(failure);
  }
}
