package io.headspan.systemtests;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackages;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/// The dependency rules of docs/architecture.md.
@AnalyzeClasses(packages = "io.headspan", importOptions = ImportOption.DoNotIncludeTests.class)
final class ArchitectureTest {
  private static final String WIRE = "io.headspan.wire..";
  private static final String PROBES = "io.headspan.probes..";
  private static final String STORAGE = "io.headspan.storage..";
  private static final String WASM = "io.headspan.wasm..";
  private static final String AGENT = "io.headspan.agent..";
  private static final String COLLECTOR = "io.headspan.collector..";
  private static final String QUERY = "io.headspan.query..";
  private static final String LOADGEN = "io.headspan.loadgen..";
  private static final String ALL = "io.headspan..";

  @ArchTest static final ArchRule wireStandsAlone = mayUse(WIRE);
  @ArchTest static final ArchRule storageUsesWire = mayUse(STORAGE, WIRE);
  @ArchTest static final ArchRule wasmUsesWire = mayUse(WASM, WIRE);
  @ArchTest static final ArchRule agentUsesWireAndProbes = mayUse(AGENT, WIRE, PROBES);
  @ArchTest static final ArchRule collectorUsesWireAndStorage = mayUse(COLLECTOR, WIRE, STORAGE);
  @ArchTest static final ArchRule queryUsesWireAndStorage = mayUse(QUERY, WIRE, STORAGE);
  @ArchTest static final ArchRule loadgenUsesWire = mayUse(LOADGEN, WIRE);

  @ArchTest
  static final ArchRule packagesHaveNoCycles =
      slices().matching("io.headspan.(**)").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule nothingUsesBenchmarks =
      noClasses()
          .that()
          .resideOutsideOfPackage("io.headspan.benchmarks..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("io.headspan.benchmarks..");

  @ArchTest
  static final ArchRule clickHouseClientsStayInStorage = onlyIn("com.clickhouse..", STORAGE);

  @ArchTest
  static final ArchRule chicoryStaysInTheEngine =
      onlyIn("com.dylibso.chicory..", "io.headspan.wasm.engine..");

  @ArchTest
  static final ArchRule foreignMemoryStaysAtItsEdges =
      noClasses()
          .that()
          .resideOutsideOfPackages(
              "io.headspan.agent.libbpf..",
              "io.headspan.agent.probe..",
              "io.headspan.storage.embedded..",
              "io.headspan.loadgen.net..",
              "io.headspan.loadgen.service..",
              "io.headspan.benchmarks..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("java.lang.foreign..");

  @ArchTest
  static final ArchRule downcallsStayInTheirPackages =
      noClasses()
          .that()
          .resideOutsideOfPackages(
              "io.headspan.agent.libbpf..",
              "io.headspan.storage.embedded..",
              "io.headspan.loadgen.net..")
          .should()
          .dependOnClassesThat()
          .haveFullyQualifiedName("java.lang.foreign.Linker");

  /// A module's classes use only these packages of ours, beside their own.
  private static ArchRule mayUse(String module, String... others) {
    String[] allowed = new String[others.length + 1];
    allowed[0] = module;
    System.arraycopy(others, 0, allowed, 1, others.length);
    return noClasses()
        .that()
        .resideInAPackage(module)
        .should()
        .dependOnClassesThat(resideInAPackage(ALL).and(resideOutsideOfPackages(allowed)));
  }

  private static ArchRule onlyIn(String vendor, String ours) {
    return noClasses()
        .that()
        .resideInAPackage(ALL)
        .and()
        .resideOutsideOfPackage(ours)
        .should()
        .dependOnClassesThat()
        .resideInAPackage(vendor);
  }
}
