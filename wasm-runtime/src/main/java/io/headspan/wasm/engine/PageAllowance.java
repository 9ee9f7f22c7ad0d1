package io.headspan.wasm.engine;

/// What one instance may take of the [PageBudget]. It takes in steps, so that the shared counter is
/// touched once per 256 KiB. Used by one thread.
public final class PageAllowance implements AutoCloseable {
  private static final int STEP_PAGES = 64;

  private final PageBudget budget;
  private int takenPages;
  private int freePages;

  PageAllowance(PageBudget budget) {
    this.budget = budget;
  }

  /// Pays for one page.
  ///
  /// @throws GuestTrap `MEMORY_BUDGET` if all guests together have used up what there is
  void takePage() {
    if (freePages == 0) {
      if (!budget.take(STEP_PAGES)) {
        throw new GuestTrap(
            TrapKind.MEMORY_BUDGET,
            "all guests together hold as much memory as the executor allows: limitBytes="
                + budget.limitBytes());
      }
      takenPages += STEP_PAGES;
      freePages = STEP_PAGES;
    }
    freePages--;
  }

  /// Gives everything back; the instance must not be used any more.
  @Override
  public void close() {
    budget.giveBack(takenPages);
    takenPages = 0;
    freePages = 0;
  }
}
