package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.ControlRecord;
import dev.regolith.faultinjection.campaign.Engine;
import dev.regolith.faultinjection.campaign.EngineOptions;
import dev.regolith.faultinjection.campaign.FaultModel;
import dev.regolith.faultinjection.campaign.Outcome;
import dev.regolith.faultinjection.campaign.TrialRecord;
import dev.regolith.faultinjection.model.TrainedModel;
import dev.regolith.kernels.Regolith;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.fault.FaultReport;
import dev.regolith.kernels.fault.Protection;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Strikes the buffers of running matrix products, the same fault in each arm.
 *
 * <p>Trials run on one thread per product, so that the n-th passing of a probe point is the same
 * passing every time.
 */
final class GemmEngine implements Engine {
  /** Windows of text that controls take their inputs from. */
  private static final int CONTROL_TEXTS = 16;

  /** A workload with its truth and its memory in each arm. */
  private record Station(Workload workload, Truth truth, Map<Arm, Bench> benches) {}

  /** Where a window can be hit in one workload. */
  private record Offering(Station station, List<Occurrence> occurrences) {}

  /** Where it is hit. */
  private record Target(Station station, Occurrence occurrence) {}

  private final EngineOptions options;
  private final TrainedModel model;
  private final Injector injector = Injector.install();
  private final Arena arena = Arena.ofShared();
  private final Map<Arm, Session> sessions = new EnumMap<>(Arm.class);
  private final Map<Arm, List<FaultReport>> reports = new EnumMap<>(Arm.class);
  private final List<Station> stations = new ArrayList<>();
  private final Map<Window, List<Offering>> offerings = new EnumMap<>(Window.class);
  private final Map<Integer, List<Workload>> controlWorkloads = new HashMap<>();
  private final Deadline deadline = new Deadline();
  private boolean hung;

  GemmEngine(EngineOptions options, TrainedModel model) {
    this.options = options;
    this.model = model;
    for (Arm arm : Arm.values()) {
      var list = new ArrayList<FaultReport>();
      reports.put(arm, list);
      sessions.put(
          arm,
          Regolith.open(o ->
              o.threads(1)
                  .protection(arm == Arm.OFF ? Protection.OFF : Protection.CORRECT)
                  .onFault(list::add)));
    }
    for (Workload workload : Workloads.of(model, 0)) {
      stations.add(station(workload));
    }
    for (Window window : Window.values()) {
      offerings.put(window, offeringsOf(window));
    }
  }

  private Station station(Workload workload) {
    var benches = new EnumMap<Arm, Bench>(Arm.class);
    for (Arm arm : Arm.values()) {
      benches.put(arm, bench(workload, arm));
    }
    return new Station(workload, new Truth(workload), benches);
  }

  private Bench bench(Workload workload, Arm arm) {
    return new Bench(workload, arm, get(sessions, arm), get(reports, arm), arena, injector);
  }

  private List<Offering> offeringsOf(Window window) {
    var found = new ArrayList<Offering>();
    for (Station station : stations) {
      Bench off = get(station.benches(), Arm.OFF);
      // Blocks with NaN are computed twice under protection; both arms are struck the first time.
      List<Occurrence> admitted =
          get(station.benches(), Arm.CORRECT).occurrences().stream()
              .filter(occurrence -> window.admits(station.workload(), occurrence))
              .filter(occurrence ->
                  !off.passes(occurrence.point()) || off.counterpart(occurrence) != null)
              .toList();
      if (!admitted.isEmpty()) {
        found.add(new Offering(station, admitted));
      }
    }
    return found;
  }

  @Override
  public List<TrialRecord> trial(long index) {
    var random = random(index, 0);
    List<String> sites = sites();
    Window window = draw(Window.of(draw(sites, random)), random);
    FaultModel faultModel = draw(List.of(FaultModel.values()), random);
    Target target = draw(window, random);
    long seed = random.nextLong();
    var records = new ArrayList<TrialRecord>();
    for (Arm arm : options.arms()) {
      records.add(trial(index, arm, window, faultModel, target, seed));
    }
    return records;
  }

  /** The workloads are drawn evenly, then the passings of the window in the drawn one. */
  private Target draw(Window window, SplittableRandom random) {
    List<Offering> all = get(offerings, window);
    if (all.isEmpty()) {
      throw new IllegalStateException(
          "no workload offers the window %s of %s".formatted(window.label(), window.site()));
    }
    Offering offering = draw(all, random);
    return new Target(offering.station(), draw(offering.occurrences(), random));
  }

  private static <T> T draw(List<T> list, SplittableRandom random) {
    return list.get(random.nextInt(list.size()));
  }

  private TrialRecord trial(
      long index, Arm arm, Window window, FaultModel faultModel, Target target, long seed) {
    Station station = target.station();
    Bench bench = get(station.benches(), arm);
    Occurrence here = bench.counterpart(target.occurrence());
    var strike = new Strike(faultModel, seed);
    Outcome outcome;
    boolean latent = false;
    String detail = "";
    if (here == null) {
      outcome = Outcome.NOT_INJECTED;
      detail = "the site does not exist in this arm";
    } else {
      Bench.@Nullable Run run = deadline.within(() -> bench.run(here, window.when(), strike));
      if (run == null) {
        outcome = Outcome.HANG;
        hung = true;
        station.benches().put(arm, bench(station.workload(), arm));
      } else {
        outcome = judge(strike, station.truth(), run);
        latent = run.latent();
        detail = detail(run);
      }
    }
    int mask = strike.mask();
    return new TrialRecord(
        index,
        arm,
        window.site(),
        window.label(),
        faultModel,
        station.workload().name(),
        mask == 0 ? -1 : Integer.numberOfTrailingZeros(mask),
        "%08x".formatted(mask),
        outcome,
        latent,
        detail);
  }

  /** The first that matches, in the order of the definition. */
  private static Outcome judge(Strike strike, Truth truth, Bench.Run run) {
    if (strike.mask() == 0) {
      return Outcome.NOT_INJECTED;
    }
    if (run.crash() != null) {
      return Outcome.CRASH;
    }
    if (run.given()) {
      return Outcome.DETECTED;
    }
    Truth.Judgement worst = truth.judge(run.first());
    Truth.Judgement second = truth.judge(run.second());
    if (second.compareTo(worst) > 0) {
      worst = second;
    }
    return switch (worst) {
      case IDENTICAL -> run.corrected() ? Outcome.CORRECTED : Outcome.MASKED;
      case INSIDE -> run.corrected() ? Outcome.CORRECTED_INEXACT : Outcome.BENIGN;
      case OUTSIDE -> run.corrected() ? Outcome.MISCORRECTED : Outcome.SDC;
    };
  }

  private static String detail(Bench.Run run) {
    if (run.crash() != null) {
      return run.crash().toString();
    }
    return run.alarms().isEmpty() ? "" : run.alarms().getFirst().summary();
  }

  @Override
  public ControlRecord control(long index) {
    var random = random(index, 1);
    int text = 1 + random.nextInt(CONTROL_TEXTS);
    List<Workload> workloads =
        controlWorkloads.computeIfAbsent(text, window -> Workloads.of(model, window));
    Workload workload = draw(workloads, random);
    try (var memory = Arena.ofShared()) {
      var bench =
          new Bench(
              workload,
              Arm.CORRECT,
              get(sessions, Arm.CORRECT),
              get(reports, Arm.CORRECT),
              memory,
              injector);
      var truth = new Truth(workload);
      Bench.Run run = bench.run();
      boolean identical =
          truth.judge(run.first()) == Truth.Judgement.IDENTICAL
              && truth.judge(run.second()) == Truth.Judgement.IDENTICAL;
      boolean alarm =
          run.corrected() || run.given() || run.crash() != null || !run.alarms().isEmpty();
      return new ControlRecord(index, identical, alarm, workload.name(), detail(run));
    }
  }

  private SplittableRandom random(long index, long stream) {
    var seeds = new SplittableRandom(options.seed());
    return new SplittableRandom(seeds.nextLong() ^ (2 * index + stream) * 0x9E3779B97F4A7C15L);
  }

  @Override
  public Map<String, Object> configuration() {
    return new LinkedHashMap<>(get(sessions, Arm.CORRECT).configuration());
  }

  @Override
  public List<String> sites() {
    return options.sites().isEmpty() ? Window.sites() : options.sites();
  }

  @Override
  public List<String> windows(String site) {
    return Window.of(site).stream().map(Window::label).toList();
  }

  private static <K, V> V get(Map<K, V> map, K key) {
    return java.util.Objects.requireNonNull(map.get(key));
  }

  @Override
  public void close() {
    deadline.close();
    if (!hung) { // a call that hangs keeps its session and memory
      sessions.values().forEach(Session::close);
      arena.close();
    }
  }
}
