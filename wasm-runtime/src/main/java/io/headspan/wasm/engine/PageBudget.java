package io.headspan.wasm.engine;

import java.util.concurrent.atomic.AtomicLong;

/// How much memory all guests together may hold. Guests pay for the 4 KiB pages that they write,
/// not for what they reserve; so many small functions run side by side, and a few large ones cannot
/// take the JVM's heap from everything else. Thread-safe.
public final class PageBudget {
  private final long limitPages;
  private final AtomicLong usedPages = new AtomicLong();

  /// @param limitBytes rounded down to whole pages
  public PageBudget(long limitBytes) {
    this.limitPages = limitBytes >> PagedMemory.PAGE_SHIFT;
  }

  /// Opens the account of one instance; close it when the instance is done.
  public PageAllowance open() {
    return new PageAllowance(this);
  }

  public long usedBytes() {
    return usedPages.get() << PagedMemory.PAGE_SHIFT;
  }

  public long limitBytes() {
    return limitPages << PagedMemory.PAGE_SHIFT;
  }

  boolean take(int pages) {
    if (usedPages.addAndGet(pages) > limitPages) {
      usedPages.addAndGet(-pages);
      return false;
    }
    return true;
  }

  void giveBack(int pages) {
    usedPages.addAndGet(-pages);
  }
}
