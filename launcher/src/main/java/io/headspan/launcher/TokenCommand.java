package io.headspan.launcher;

import io.headspan.wire.access.Role;
import io.headspan.wire.access.Tokens;
import java.io.PrintWriter;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `headspan token`: makes tokens for the query API and the collector.
@Command(
    name = "token",
    mixinStandardHelpOptions = true,
    description = "Make tokens to ask the query API, and to send to the collector.",
    subcommands = TokenCommand.New.class)
final class TokenCommand implements Runnable {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "missing subcommand");
  }

  /// `headspan token new`.
  @Command(
      name = "new",
      mixinStandardHelpOptions = true,
      description = {
        "Print a new token, and its entry for the file of tokens (HEADSPAN_QUERY_TOKENS, HEADSPAN_COLLECTOR_TOKENS).",
        "The token is kept nowhere: give it to whom it is for."
      })
  static final class New implements Callable<Integer> {
    private static final int TOKEN_BYTES = 32;

    @Option(names = "--name", required = true, description = "Its name in the audit log.")
    private String name = "";

    @Option(
        names = "--tenant",
        paramLabel = "TENANT",
        description = "Good for this tenant's data only; may be repeated.")
    private List<String> tenants = List.of();

    @Option(
        names = "--role",
        paramLabel = "ROLE",
        description =
            "operator and tenant ask, agent (a node agent) and sender (a tenant's own SDK) send; without it, tenant if there is --tenant, else operator.")
    private @Nullable Role role;

    @Option(
        names = "--region",
        paramLabel = "REGION",
        description = "Good in this region only; may be repeated.")
    private List<String> regions = List.of();

    @Spec private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
      Role given = role != null ? role : tenants.isEmpty() ? Role.OPERATOR : Role.TENANT;
      if (tenants.isEmpty() && (given == Role.TENANT || given == Role.SENDER)) {
        throw new ParameterException(
            spec.commandLine(), "role " + given.label() + " needs --tenant");
      }
      byte[] random = new byte[TOKEN_BYTES];
      new SecureRandom().nextBytes(random);
      String token = Base64.getUrlEncoder().withoutPadding().encodeToString(random);
      PrintWriter out = spec.commandLine().getOut();
      out.println("token: " + token);
      out.println("entry below `tokens:`:");
      out.println("  - name: " + quoted(name));
      out.println("    role: " + given.label());
      list(out, "tenants", tenants);
      list(out, "regions", regions);
      out.println("    sha256: " + Tokens.hash(token));
      out.flush();
      return 0;
    }

    private static void list(PrintWriter out, String key, List<String> values) {
      if (!values.isEmpty()) {
        out.println("    " + key + ": " + quoted(String.join(", ", values)));
      }
    }

    private static String quoted(String text) {
      return "'" + text.replace("'", "''") + "'";
    }
  }
}
