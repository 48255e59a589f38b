package dev.regolith.faultinjection.cli;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.CampaignPlan;
import dev.regolith.faultinjection.campaign.CampaignResult;
import dev.regolith.faultinjection.campaign.CampaignRunner;
import dev.regolith.faultinjection.campaign.Engine;
import dev.regolith.faultinjection.campaign.EngineFactory;
import dev.regolith.faultinjection.campaign.EngineOptions;
import dev.regolith.faultinjection.model.ModelFileException;
import dev.regolith.faultinjection.report.ConsoleReport;
import dev.regolith.faultinjection.report.Machine;
import dev.regolith.faultinjection.report.ResultLines;
import dev.regolith.faultinjection.report.Summary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code regolith campaign}. */
@Command(
    name = "campaign",
    description =
        "Inject faults into the buffers of protected matrix products, or attentions, of a trained"
            + " model, and tell what came of them.",
    mixinStandardHelpOptions = true,
    versionProvider = Regolith.Version.class,
    sortOptions = false,
    sortSynopsis = false,
    exitCodeListHeading = "Exit codes:%n",
    exitCodeList = {
      "0:protection held",
      "1:protection fell short, or the campaign itself went wrong; the last lines say why",
      "2:bad options, model or folder",
      "130:interrupted; what was measured is kept"
    })
final class CampaignCommand implements Callable<Integer> {
  static final int PASSED = 0;
  static final int FAILED = 1;
  static final int INTERRUPTED = 130;

  private static final String TRIALS = "10000";
  private static final String SEED = "1";

  private final SequencedMap<String, EngineFactory> workloads;

  @Spec private CommandSpec spec = CommandSpec.create(); // replaced by picocli

  @Option(
      names = "--workload",
      paramLabel = "KIND",
      description = "What is computed, gemm, attention or rows (default: gemm).")
  private Optional<String> workload = Optional.empty();

  @Mixin private BackendOptions computing = new BackendOptions();

  @Option(
      names = "--trials",
      paramLabel = "N",
      defaultValue = TRIALS,
      description = "Faults to inject, each in every arm (default: ${DEFAULT-VALUE}).")
  private long trials;

  @Option(
      names = "--seed",
      paramLabel = "S",
      defaultValue = SEED,
      description =
          "Decides, with its number, everything about a trial (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "regolith-campaign",
      description =
          "Where results.jsonl, summary.json and report.html go (default: ${DEFAULT-VALUE}).")
  private Path out = Path.of("");

  @Option(
      names = "--arm",
      paramLabel = "ARM",
      defaultValue = "both",
      converter = ArmChoice.Converter.class,
      description = "off (no protection), correct, or both (default: ${DEFAULT-VALUE}).")
  private ArmChoice arm = ArmChoice.BOTH;

  @Option(
      names = "--site",
      paramLabel = "NAME",
      description = "Inject only here; may be repeated (default: every site).")
  private List<String> sites = List.of();

  @Option(
      names = "--model",
      paramLabel = "DIR",
      description = "A folder with a Llama model as safetensors (default: the built-in one).")
  private Optional<Path> model = Optional.empty();

  /** The command over kinds of workloads; the first is the default. */
  CampaignCommand(SequencedMap<String, EngineFactory> workloads) {
    this.workloads = workloads;
  }

  private String workload() {
    return workload.orElse(workloads.firstEntry().getKey());
  }

  private EngineFactory engines() {
    EngineFactory engines = workloads.get(workload());
    if (engines == null) {
      throw badUsage(
          "--workload: there is no workload '%s'; there are: %s"
              .formatted(workload(), String.join(", ", workloads.keySet())));
    }
    if (!computing.misuse().isEmpty()) {
      throw badUsage(computing.misuse());
    }
    if (computing.backend().isEmpty()) {
      return engines;
    }
    try {
      return engines.on(
          computing.backend().get(), computing.device().orElse(""), computing.evidence());
    } catch (IllegalArgumentException e) {
      throw badUsage("--backend: " + e.getMessage());
    }
  }

  @Override
  public Integer call() throws IOException {
    checkOptions();
    CampaignFolder folder = prepareFolder();
    try (Engine engine = open()) {
      return run(engine, folder);
    }
  }

  private void checkOptions() {
    if (trials < 1 || trials > Integer.MAX_VALUE) {
      throw badUsage("--trials: expected 1 to %d, got %d".formatted(Integer.MAX_VALUE, trials));
    }
    EngineFactory engines = engines();
    for (String site : sites) {
      if (!engines.sites().contains(site)) {
        throw badUsage(
            "--site: there is no site '%s'; there are: %s"
                .formatted(site, String.join(", ", engines.sites())));
      }
    }
    model.ifPresent(folder -> {
      if (!Files.isDirectory(folder)) {
        throw badUsage("--model: '%s' is not a folder".formatted(folder));
      }
    });
  }

  private CampaignFolder prepareFolder() {
    try {
      return CampaignFolder.prepare(out);
    } catch (IOException e) {
      throw badUsage("--out: cannot write to '%s': %s".formatted(out, Reason.of(e)));
    }
  }

  private Engine open() {
    try {
      return engines().open(new EngineOptions(seed, arm.arms(), sites, model));
    } catch (IOException
        | ModelFileException
        | IllegalArgumentException
        | IllegalStateException e) {
      throw badUsage(Reason.of(e));
    }
  }

  private ParameterException badUsage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  private int run(Engine engine, CampaignFolder folder) throws IOException {
    var console = spec.commandLine().getOut();
    console.printf(
        "%s: %d trials, seed %d, %s, %s%n%n",
        workload(),
        trials,
        seed,
        arm.arms().stream().map(Arm::id).collect(Collectors.joining(" and ", "protection ", "")),
        sites.isEmpty() ? "every site" : "only " + String.join(", ", sites));
    console.flush();

    Set<Arm> arms = arm.arms();
    var plan = new CampaignPlan(trials, arms, sites.isEmpty());
    try (ResultLines lines = folder.begin()) {
      Progress progress = Progress.of(trials, spec.commandLine().getErr());
      var runner = new CampaignRunner(engine, plan, List.of(lines, progress));
      try (var _ = new Interruption(runner::stop)) {
        CampaignResult result;
        try (progress) {
          result = runner.run();
        }
        var summary =
            new Summary(
                workload(),
                seed,
                trials,
                arms,
                engine.configuration(),
                result,
                again(),
                Machine.current());
        folder.end(summary);
        console.println(ConsoleReport.of(summary));
        console.printf("Everything else is in %s%n", folder.report());
        console.flush();
        return exitCode(result);
      }
    }
  }

  static int exitCode(CampaignResult result) {
    if (result.interrupted()) {
      return INTERRUPTED; // the JVM says so too, whatever is returned here
    }
    return result.passed() ? PASSED : FAILED;
  }

  private String again() {
    String command = "./regolith campaign --trials %d --seed %d".formatted(trials, seed);
    command += workload.map(kind -> " --workload " + kind).orElse("");
    command += computing.again();
    if (arm.arms().size() == 1) {
      command += " --arm " + arm.arms().iterator().next().id();
    }
    command += sites.stream().map(site -> " --site " + site).collect(Collectors.joining());
    return command + model.map(folder -> " --model " + folder).orElse("");
  }
}
