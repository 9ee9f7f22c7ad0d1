package io.headspan.benchmarks;

import java.util.regex.Pattern;

/// What stands behind a benchmark's name on the command line.
public final class BenchArguments {
  private static final Pattern NUMBER = Pattern.compile("[0-9]{1,9}");

  /// The command line asks for what is not there; the message says what is.
  public static final class UnusableException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UnusableException(String message) {
      super(message);
    }
  }

  private final String usage;
  private final String[] arguments;

  private BenchArguments(String usage, String[] arguments) {
    this.usage = usage;
    this.arguments = arguments;
  }

  /// At most `most` arguments.
  ///
  /// @param usage what they are, as an error names them: `[SECONDS [SPANS_PER_S]]`
  /// @throws UnusableException if there are more
  public static BenchArguments of(String usage, int most, String... arguments) {
    BenchArguments all = new BenchArguments(usage, arguments);
    if (arguments.length > most) {
      throw all.unusable("too many");
    }
    return all;
  }

  /// The number at a place, counted from 0.
  ///
  /// @param otherwise if there is nothing at this place
  /// @throws UnusableException if it is no number of at least `least`
  public int number(int place, int otherwise, int least) {
    if (place >= arguments.length) {
      return otherwise;
    }
    String text = arguments[place];
    if (!NUMBER.matcher(text).matches() || Integer.parseInt(text) < least) {
      throw unusable("not a number of at least " + least + ": " + text);
    }
    return Integer.parseInt(text);
  }

  private UnusableException unusable(String what) {
    return new UnusableException(
        what + "; options: " + usage + "; given: " + String.join(" ", arguments));
  }
}
