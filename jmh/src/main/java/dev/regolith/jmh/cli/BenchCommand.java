package dev.regolith.jmh.cli;

import dev.regolith.jmh.launch.BenchPlan;
import dev.regolith.jmh.launch.BenchResult;
import dev.regolith.jmh.launch.BenchRunner;
import dev.regolith.jmh.launch.Laboratory;
import dev.regolith.jmh.machine.MachineFacts;
import dev.regolith.jmh.measure.Pace;
import dev.regolith.jmh.peer.Peers;
import dev.regolith.jmh.peer.Waiting;
import dev.regolith.jmh.report.ConsoleTable;
import dev.regolith.jmh.report.Summary;
import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.rows.RowSets;
import dev.regolith.jmh.rows.Shape;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code regolith bench}. */
@Command(
    name = "regolith bench",
    version = {"regolith bench", "Java ${java.version}"},
    description =
        "Measure this library beside OpenBLAS, MKL and oneDNN (products), PyTorch and ONNX Runtime"
            + " (attention), with protection and without. Leaves a page for people and a file for"
            + " programs.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    sortSynopsis = false,
    exitCodeListHeading = "Exit codes:%n",
    exitCodeList = {
      "0:everything was measured",
      "1:a row is missing, or somebody computed something wrong; the last lines say what",
      "2:bad options or folder",
      "130:interrupted; what was measured is kept"
    })
final class BenchCommand implements Callable<Integer> {
  static final int MEASURED = 0;
  static final int FAILED = 1;
  static final int INTERRUPTED = 130;

  private static final String ALL = "all";
  private static final int LAUNCHES = 6;
  private static final int QUICK_LAUNCHES = 2;
  private static final double QUICK_SECONDS = 165;
  private static final double COLD_SECONDS = 5;
  private static final double QUICK_COLD_SECONDS = 2.5;

  private final Function<Waiting, Laboratory> laboratory;

  @Spec private CommandSpec spec = CommandSpec.create(); // replaced by picocli

  @Option(
      names = "--quick",
      description =
          "A first impression within three minutes: squares up to 2048, two decode rows, short"
              + " turns. With --shapes or --attention: short turns only.")
  private boolean quick;

  @Option(
      names = "--shapes",
      paramLabel = "MxKxN",
      split = ",",
      description =
          "Only these products, as MxKxN or BATCHxMxKxN, separated by commas (default: the"
              + " sensible set).")
  private List<String> shapes = List.of();

  @Option(
      names = "--attention",
      paramLabel = "SIZES",
      split = ",",
      description =
          "Only these attentions, beside what --shapes names, as"
              + " [BATCHx]HEADS[/KVHEADS]xQUERIESxKEYSxSIZE[-causal], separated by commas; or all:"
              + " prefill of 512 to 8192 tokens, decode over 1024 to 65536.")
  private List<String> attention = List.of();

  @Option(
      names = "--operands",
      paramLabel = "KIND",
      split = ",",
      description = "With --shapes: B fresh, packed, or both (default: fresh,packed).")
  private List<Operands> operands = List.of(Operands.FRESH, Operands.PACKED);

  @Option(
      names = "--threads",
      paramLabel = "N",
      split = ",",
      description = "Numbers of threads, separated by commas (default: 1 and all processors).")
  private List<Integer> threads = List.of();

  @Option(
      names = "--peers",
      paramLabel = "NAME",
      split = ",",
      description = "oneDNN, OpenBLAS, MKL, PyTorch, ONNXRuntime, or none (default: all).")
  private List<String> peers = Peers.names();

  @Option(
      names = "--launches",
      paramLabel = "N",
      description =
          "JVMs to measure in, one after the other (default: 6, the fewest that give a 95 %%"
              + " interval; 2 with --quick).")
  private Optional<Integer> launches = Optional.empty();

  @Option(
      names = "--no-alternatives",
      description = "Leave out computing twice, and three times with a vote.")
  private boolean noAlternatives;

  @Option(
      names = "--waiting",
      paramLabel = "HOW",
      defaultValue = "BRIEF",
      description =
          "How long the threads of peers stay awake between calls: brief (50 microseconds, as ours"
              + " do) or passive (not at all). Default: brief.")
  private Waiting waiting = Waiting.BRIEF;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "regolith-bench",
      description = "Where bench.json and report.html go (default: ${DEFAULT-VALUE}).")
  private Path out = Path.of("");

  @Option(names = "--json", paramLabel = "FILE", description = "Where bench.json goes instead.")
  private Optional<Path> json = Optional.empty();

  BenchCommand(Function<Waiting, Laboratory> laboratory) {
    this.laboratory = laboratory;
  }

  @Override
  public Integer call() throws IOException {
    BenchPlan plan = plan();
    BenchFiles files = prepareFiles();
    var err = spec.commandLine().getErr();
    MachineFacts machine = MachineFacts.current();
    announce(plan);
    Progress progress = Progress.of(plan.steps(), err);
    var runner = new BenchRunner(plan, laboratory.apply(waiting), progress);
    try (var _ = new Interruption(runner::stop)) {
      BenchResult result;
      try (progress) {
        result = runner.run();
      }
      Summary summary = Summary.of(result, machine, again());
      files.write(summary);
      var console = spec.commandLine().getOut();
      console.println();
      console.print(ConsoleTable.of(summary));
      console.printf("%nEverything else is in %s and %s%n", files.page(), files.json());
      console.flush();
      return exitCode(result);
    }
  }

  private void announce(BenchPlan plan) {
    var console = spec.commandLine().getOut();
    console.printf(
        "%d rows in each of %d launches, peers: %s%n",
        plan.rows().size(),
        plan.launches(),
        plan.peers().isEmpty() ? "none" : String.join(", ", plan.peers()));
    console.flush();
  }

  static int exitCode(BenchResult result) {
    if (result.interrupted()) {
      return INTERRUPTED; // the JVM says so too, whatever is returned here
    }
    boolean whole =
        result.plan().rows().stream()
            .allMatch(row ->
                !result.of(row).isEmpty()
                    && result.of(row).stream().allMatch(samples -> samples.failures().isEmpty()));
    return whole ? MEASURED : FAILED;
  }

  private BenchPlan plan() {
    List<Integer> counts = threadCounts();
    boolean chosen = !shapes.isEmpty() || !attention.isEmpty();
    List<Row> rows =
        chosen ? chosenRows(counts) : quick ? RowSets.quick(counts) : RowSets.sensible(counts);
    int count = launches.orElse(quick ? QUICK_LAUNCHES : LAUNCHES);
    if (count < 1 || count > 1000) {
      throw badUsage("--launches: expected 1 to 1000, got " + count);
    }
    return new BenchPlan(
        rows,
        count,
        chosenPeers(),
        waiting,
        !noAlternatives,
        quick ? Pace.QUICK : Pace.FULL,
        quick && !chosen ? QUICK_SECONDS : BenchPlan.NO_LIMIT,
        chosen ? 0 : quick ? QUICK_COLD_SECONDS : COLD_SECONDS);
  }

  private List<Integer> threadCounts() {
    int processors = Runtime.getRuntime().availableProcessors();
    if (threads.isEmpty()) {
      return Stream.of(1, processors).distinct().toList();
    }
    for (int count : threads) {
      if (count < 1 || count > processors) {
        throw badUsage(
            "--threads: expected 1 to %d (the processors here), got %d"
                .formatted(processors, count));
      }
    }
    return threads.stream().distinct().toList();
  }

  private List<Row> chosenRows(List<Integer> counts) {
    var rows = new ArrayList<>(RowSets.chosen(chosenShapes(), operands, counts));
    rows.addAll(
        attention.size() == 1 && attention.getFirst().strip().equalsIgnoreCase(ALL)
            ? RowSets.attention(counts)
            : RowSets.chosenAttention(chosenAttention(), counts));
    return List.copyOf(rows);
  }

  private List<AttentionShape> chosenAttention() {
    try {
      return attention.stream().map(AttentionShape::parse).distinct().toList();
    } catch (IllegalArgumentException e) {
      throw badUsage("--attention: " + e.getMessage());
    }
  }

  private List<Shape> chosenShapes() {
    try {
      return shapes.stream().map(Shape::parse).distinct().toList();
    } catch (IllegalArgumentException e) {
      throw badUsage("--shapes: " + e.getMessage());
    }
  }

  private Set<String> chosenPeers() {
    var chosen = new LinkedHashSet<String>();
    for (String name : peers) {
      if (name.equalsIgnoreCase("none") && peers.size() == 1) {
        return Set.of();
      }
      chosen.add(
          Peers.names().stream()
              .filter(known -> known.equalsIgnoreCase(name))
              .findFirst()
              .orElseThrow(() ->
                  badUsage(
                      "--peers: there is no '%s'; there are: %s, or none"
                          .formatted(name, String.join(", ", Peers.names())))));
    }
    return chosen;
  }

  private BenchFiles prepareFiles() {
    try {
      return BenchFiles.prepare(out, json);
    } catch (IOException e) {
      throw badUsage("cannot write to '%s': %s".formatted(json.orElse(out), e));
    }
  }

  private ParameterException badUsage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  private String again() {
    var arguments = spec.commandLine().getParseResult().originalArgs();
    return ("./regolith bench " + String.join(" ", arguments)).strip();
  }
}
