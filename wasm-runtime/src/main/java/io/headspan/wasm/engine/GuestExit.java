package io.headspan.wasm.engine;

/// The guest asked to end, with an exit code.
public final class GuestExit extends GuestStop {
  private static final long serialVersionUID = 1L;

  private final int code;

  public GuestExit(int code) {
    super("the guest exited: code=" + code);
    this.code = code;
  }

  public int code() {
    return code;
  }
}
