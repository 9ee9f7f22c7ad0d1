package io.headspan.storage.embedded;

import com.linecorp.armeria.common.ByteBufAccessMode;
import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpObject;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.stream.SubscriptionOption;
import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.EventExecutor;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscriber;
import org.reactivestreams.Subscription;

/// A request's body for one thread that may block: parts are asked from the network only as they
/// are read, so that a fast sender is slowed down to the engine's pace and a body may be of any
/// size. Reading throws when the client has gone, or has sent nothing for a minute.
final class RequestBody extends InputStream implements Subscriber<HttpObject> {
  private static final int WINDOW = 16;
  private static final Duration IDLE_LIMIT = Duration.ofMinutes(1);

  /// Marks the end in the queue, by identity; `failure` says how.
  private static final HttpData END = HttpData.wrap(new byte[1]);

  private final HttpRequest request;
  private final LinkedBlockingQueue<HttpData> parts = new LinkedBlockingQueue<>();
  private volatile @Nullable Subscription subscription;
  private volatile @Nullable Throwable failure;
  private @Nullable ByteBuf current;
  private boolean ended;

  /// @param eventLoop where parts arrive
  RequestBody(HttpRequest request, EventExecutor eventLoop) {
    this.request = request;
    request.subscribe(this, eventLoop, SubscriptionOption.WITH_POOLED_OBJECTS);
  }

  @Override
  public void onSubscribe(Subscription subscription) {
    this.subscription = subscription;
    subscription.request(WINDOW);
  }

  @Override
  public void onNext(HttpObject part) {
    // Trailers carry nothing for us; an empty part still counts in the window.
    parts.add(part instanceof HttpData data ? data : HttpData.empty());
  }

  @Override
  public void onError(Throwable cause) {
    failure = cause;
    parts.add(END);
  }

  @Override
  public void onComplete() {
    parts.add(END);
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public int read(byte[] target, int offset, int length) throws IOException {
    if (length == 0) {
      return 0;
    }
    ByteBuf part = part();
    if (part == null) {
      return -1;
    }
    int count = Math.min(length, part.readableBytes());
    part.readBytes(target, offset, count);
    if (!part.isReadable()) {
      releaseCurrent();
    }
    return count;
  }

  /// Reads the rest and forgets it, so that a client that sends all before it listens gets the
  /// answer.
  ///
  /// @return false if there was more than `maxBytes`
  boolean drain(long maxBytes) throws IOException {
    long drained = 0;
    for (ByteBuf part = part(); part != null; part = part()) {
      drained += part.readableBytes();
      releaseCurrent();
      if (drained > maxBytes) {
        return false;
      }
    }
    return true;
  }

  /// Gives up the rest and frees what was received.
  @Override
  public void close() {
    if (!ended) {
      request.abort();
    }
    releaseCurrent();
    for (HttpData left = parts.poll(); left != null; left = parts.poll()) {
      left.close();
    }
  }

  // The end is told apart by identity: a client may send the same bytes.
  @SuppressWarnings("ReferenceEquality")
  private @Nullable ByteBuf part() throws IOException {
    while (current == null && !ended) {
      HttpData next = take();
      if (next == END) {
        ended = true;
        Throwable cause = failure;
        if (cause != null) {
          throw new IOException("client went away while it sent the body", cause);
        }
      } else {
        Subscription source = subscription;
        if (source != null) {
          source.request(1);
        }
        if (next.isEmpty()) {
          next.close();
        } else {
          // Wrapped once: every call gives a view of its own that begins at the first byte.
          current = next.byteBuf(ByteBufAccessMode.RETAINED_DUPLICATE);
          next.close();
        }
      }
    }
    return current;
  }

  private void releaseCurrent() {
    ByteBuf part = current;
    current = null;
    if (part != null) {
      part.release();
    }
  }

  private HttpData take() throws IOException {
    try {
      HttpData next = parts.poll(IDLE_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
      if (next == null) {
        throw new IOException("client sent nothing for " + IDLE_LIMIT.toSeconds() + " s");
      }
      return next;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while waiting for the body");
    }
  }
}
