package io.headspan.storage.embedded;

import java.util.HashSet;
import java.util.Locale;
import java.util.Set;

/// Keeps clients away from the machine that the store runs on. As a library, the engine reads and
/// writes any file, connects anywhere and runs programs, with the rights of its process: a
/// ClickHouse server would ask its configuration, which the library has not. So the gateway refuses
/// statements that name a table function, table engine or clause of that sort.
///
/// The names come from the engine itself; those known to be harmless are listed here, so that a
/// later engine's new ones are refused until somebody has looked at them.
final class ExternalAccess {
  /// Table functions and engines that use the database's own data or make rows up.
  private static final Set<String> HARMLESS =
      Set.of(
          "aggregatingmergetree",
          "alias",
          "buffer",
          "coalescingmergetree",
          "collapsingmergetree",
          "dictionary",
          "format",
          "fuzzjson",
          "fuzzquery",
          "generaterandom",
          "generate_series",
          "generateseries",
          "graphitemergetree",
          "input",
          "join",
          "log",
          "loop",
          "materializedview",
          "memory",
          "merge",
          "mergetree",
          "mergetreeanalyzeindexes",
          "mergetreeanalyzeindexesuuid",
          "mergetreeindex",
          "mergetreeprojection",
          "mergetreetextindex",
          "null",
          "nullsource",
          "numbers",
          "numbers_mt",
          "primes",
          "replacingmergetree",
          "set",
          "stripelog",
          "summingmergetree",
          "timeseries",
          "timeseriesdata",
          "timeseriesmetrics",
          "timeseriestags",
          "timeseriesselector",
          "tinylog",
          "values",
          "versionedcollapsingmergetree",
          "view",
          "viewexplain",
          "viewifpermitted",
          "windowview",
          "zeros",
          "zeros_mt");

  private final Set<String> refused;

  private ExternalAccess(Set<String> refused) {
    this.refused = refused;
  }

  /// Refuses whatever this engine offers beyond the harmless.
  static ExternalAccess refusedBy(Engine engine) throws EngineException {
    String names =
        engine.controlQuery(
            """
            SELECT DISTINCT lower(name) FROM
            (
                SELECT name FROM system.table_functions
                UNION ALL SELECT name FROM system.table_engines
                UNION ALL SELECT name FROM system.database_engines WHERE name NOT IN ('Atomic', 'Memory', 'Ordinary', 'Overlay', 'Lazy')
            )
            """);
    Set<String> refused = new HashSet<>(names.lines().toList());
    refused.removeAll(HARMLESS);
    refused.add("file");
    // Sources of dictionaries.
    refused.add("source");
    // Destinations of BACKUP and RESTORE.
    refused.add("disk");
    return new ExternalAccess(refused);
  }

  /// @throws EngineException naming what is refused
  void check(byte[] sql, int length) throws EngineException {
    SqlTokens tokens = new SqlTokens(sql, length);
    tokens.next();
    boolean attach = tokens.keyword().equals("ATTACH");
    boolean create = tokens.keyword().equals("CREATE");
    boolean engine = false;
    boolean dot = false;
    String before = "";
    String name = "";
    while (true) {
      boolean call = tokens.isSymbol('(') && !namesTable(before, create);
      if (refused.contains(name) && (engine || call)) {
        throw refusal(name);
      }
      if (name.equals("outfile") || name.equals("infile")) {
        throw refusal(name);
      }
      if (attach && name.equals("from")) {
        throw refusal("attach from");
      }
      if (tokens.kind() == SqlTokens.Kind.END) {
        return;
      }
      before = name.isEmpty() && dot ? "." : name;
      dot = tokens.isSymbol('.');
      // What is an engine: the name after ENGINE, an equals sign between them or not.
      engine = name.equals("engine") || (engine && name.isEmpty());
      name = nameOf(tokens);
      engine = engine && (!name.isEmpty() || tokens.isSymbol('='));
      tokens.next();
    }
  }

  /// Whether the name after `before` is that of a table, with its columns in the parentheses.
  private static boolean namesTable(String before, boolean create) {
    return before.equals("into")
        || before.equals("exists")
        || before.equals(".")
        || (create && before.equals("table"));
  }

  private static String nameOf(SqlTokens tokens) {
    return switch (tokens.kind()) {
      case WORD, QUOTED_NAME -> tokens.text().toLowerCase(Locale.ROOT);
      case STRING, NUMBER, SYMBOL, END -> "";
    };
  }

  private static EngineException refusal(String name) {
    return EngineException.refusal(
        EngineException.ACCESS_DENIED,
        "ACCESS_DENIED",
        "The embedded store reads and writes nothing outside its data directory, so it refuses '"
            + name
            + "'; HEADSPAN_STORE_EXTERNAL=true allows it");
  }
}
