package io.headspan.wasm.engine;

/// The guest did something that ends it.
public final class GuestTrap extends GuestStop {
  private static final long serialVersionUID = 1L;

  private final TrapKind kind;

  public GuestTrap(TrapKind kind, String message) {
    super(message);
    this.kind = kind;
  }

  public TrapKind kind() {
    return kind;
  }
}
