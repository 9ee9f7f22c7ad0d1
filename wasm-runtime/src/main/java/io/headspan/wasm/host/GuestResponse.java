package io.headspan.wasm.host;

import java.util.List;

/// What a function answered.
///
/// @param status from 200 to 599
/// @param headers in the order given; names are lower-case
public record GuestResponse(int status, List<Header> headers, byte[] body) {
  public record Header(String name, String value) {}
}
