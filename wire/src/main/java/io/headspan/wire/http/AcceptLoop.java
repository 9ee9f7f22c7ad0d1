package io.headspan.wire.http;

import com.linecorp.armeria.common.Flags;
import com.linecorp.armeria.common.util.EventLoopGroups;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/// The thread that accepts a server's connections: one that ends as soon as its server closes it.
/// By default it would linger for two seconds in case of more work, of which there is none when the
/// port and all connections are closed, and the end of the server would wait for it.
public final class AcceptLoop extends MultiThreadIoEventLoopGroup {
  private static final long STOP_SECONDS = 15;

  private AcceptLoop(String name, IoHandlerFactory handlers) {
    super(1, new DefaultThreadFactory(name), handlers);
  }

  /// For `ServerBuilder.bossGroupFactory`.
  ///
  /// @param name of the thread
  public static EventLoopGroup start(String name) {
    // It must be of the kind that the server makes its sockets of.
    return switch (Flags.transportType()) {
      case EPOLL -> new AcceptLoop(name, EpollIoHandler.newFactory());
      case NIO -> new AcceptLoop(name, NioIoHandler.newFactory());
      case KQUEUE, IO_URING -> EventLoopGroups.newEventLoopGroup(1, name);
    };
  }

  @Override
  public Future<?> shutdownGracefully() {
    return shutdownGracefully(0, STOP_SECONDS, TimeUnit.SECONDS);
  }
}
