package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.ControlRecord;
import dev.regolith.faultinjection.campaign.Engine;
import dev.regolith.faultinjection.campaign.EngineOptions;
import dev.regolith.faultinjection.campaign.FaultModel;
import dev.regolith.faultinjection.campaign.Outcome;
import dev.regolith.faultinjection.campaign.TrialRecord;
import dev.regolith.faultinjection.inject.Occurrence.Fate;
import dev.regolith.faultinjection.model.TrainedModel;
import dev.regolith.kernels.Regolith;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.SessionOptions;
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
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Strikes the buffers of running computations, the same fault in each arm.
 *
 * <p>Every call runs on one thread, so that the n-th passing of a probe point is the same passing
 * every time.
 *
 * @param <W> the workloads of the kind of computation that is struck
 */
final class InjectionEngine<W extends Workload> implements Engine {
  /** Windows of text that controls take their inputs from. */
  private static final int CONTROL_TEXTS = 16;

  /** How often a passing is drawn again because the fault would change nothing there. */
  private static final int DRAWS = 64;

  /** A workload with its truth and its memory in each arm. */
  private record Station<W>(W workload, Truth truth, Map<Arm, Bench> benches) {}

  /** Where a window can be hit in one workload. */
  private record Offering<W>(Station<W> station, List<Occurrence> occurrences) {}

  /** Where it is hit. */
  private record Target<W>(Station<W> station, Occurrence occurrence) {
    boolean isBlank() {
      return occurrence.blank();
    }
  }

  private final Kind<W> kind;
  private final EngineOptions options;
  private final TrainedModel model;
  private final Injector injector = Injector.install();
  private final Arena arena = Arena.ofShared();
  private final Map<Arm, Session> sessions = new EnumMap<>(Arm.class);
  private final Map<Arm, List<FaultReport>> reports = new EnumMap<>(Arm.class);
  private final List<Station<W>> stations = new ArrayList<>();
  private final Map<Window<W>, List<Offering<W>>> offerings = new HashMap<>();
  private final Map<Integer, List<W>> controlWorkloads = new HashMap<>();
  private final Deadline deadline = new Deadline();
  private final List<Window<W>> windows;
  private final String backend;
  private boolean hung;

  InjectionEngine(
      Kind<W> kind, Consumer<SessionOptions> computing, EngineOptions options, TrainedModel model) {
    this.kind = kind;
    this.options = options;
    this.model = model;
    for (Arm arm : Arm.values()) {
      var list = new ArrayList<FaultReport>();
      reports.put(arm, list);
      sessions.put(
          arm,
          Regolith.open(o -> {
            computing.accept(o);
            o.threads(1)
                .protection(arm == Arm.OFF ? Protection.OFF : Protection.CORRECT)
                .onFault(list::add);
          }));
    }
    backend = get(sessions, Arm.CORRECT).backend();
    for (W workload : kind.workloads(model, 0)) {
      stations.add(station(workload));
    }
    windows = kind.windows(get(sessions, Arm.CORRECT).configuration());
    for (Window<W> window : windows) {
      offerings.put(window, offeringsOf(window));
    }
  }

  private Station<W> station(W workload) {
    var benches = new EnumMap<Arm, Bench>(Arm.class);
    for (Arm arm : Arm.values()) {
      benches.put(arm, bench(workload, arm, arena));
    }
    return new Station<>(workload, kind.truth(workload), benches);
  }

  private Bench bench(W workload, Arm arm, Arena memory) {
    Session session = get(sessions, arm);
    Setup setup = kind.setup(workload, arm, session, memory);
    return new Bench(setup, arm, session, get(reports, arm), injector);
  }

  private List<Offering<W>> offeringsOf(Window<W> window) {
    var found = new ArrayList<Offering<W>>();
    for (Station<W> station : stations) {
      Bench off = get(station.benches(), Arm.OFF);
      // Under protection some is computed, or passed, more often than there is a counterpart of.
      List<Occurrence> admitted =
          get(station.benches(), Arm.CORRECT).occurrences().stream()
              .filter(occurrence -> window.admits(station.workload(), occurrence))
              .filter(occurrence ->
                  occurrence.fate() == Fate.COMPARED
                      || !off.passes(occurrence.point())
                      || off.counterpart(occurrence) != null)
              .toList();
      if (!admitted.isEmpty()) {
        found.add(new Offering<>(station, admitted));
      }
    }
    return found;
  }

  /** A campaign on a device that has fallen back to the CPU would say nothing of the device. */
  private void requireTheSameBackend() {
    for (Session session : sessions.values()) {
      if (!session.backend().equals(backend)) {
        throw new IllegalStateException("it is not computed by " + backend + " any more");
      }
    }
  }

  @Override
  public List<TrialRecord> trial(long index) {
    requireTheSameBackend();
    var random = random(index, 0);
    List<String> sites = sites();
    Window<W> window = draw(windowsOf(draw(sites, random)), random);
    FaultModel faultModel = draw(List.of(FaultModel.values()), random);
    Target<W> target = draw(window, random);
    for (int i = 0; faultModel == FaultModel.ZERO_WORD && target.isBlank() && i < DRAWS; i++) {
      target = draw(window, random);
    }
    long seed = random.nextLong();
    var records = new ArrayList<TrialRecord>();
    for (Arm arm : options.arms()) {
      records.add(trial(index, arm, window, faultModel, target, seed));
    }
    return records;
  }

  /** The workloads are drawn evenly, then the passings of the window in the drawn one. */
  private Target<W> draw(Window<W> window, SplittableRandom random) {
    List<Offering<W>> all = get(offerings, window);
    if (all.isEmpty()) {
      throw new IllegalStateException(
          "no workload offers the window %s of %s".formatted(window.label(), window.site()));
    }
    Offering<W> offering = draw(all, random);
    return new Target<>(offering.station(), draw(offering.occurrences(), random));
  }

  private static <T> T draw(List<T> list, SplittableRandom random) {
    return list.get(random.nextInt(list.size()));
  }

  private TrialRecord trial(
      long index, Arm arm, Window<W> window, FaultModel faultModel, Target<W> target, long seed) {
    Station<W> station = target.station();
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
        station.benches().put(arm, bench(station.workload(), arm, arena));
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
    requireTheSameBackend();
    var random = random(index, 1);
    int text = 1 + random.nextInt(CONTROL_TEXTS);
    List<W> workloads =
        controlWorkloads.computeIfAbsent(text, window -> kind.workloads(model, window));
    W workload = draw(workloads, random);
    try (var memory = Arena.ofShared();
        Bench bench = bench(workload, Arm.CORRECT, memory)) {
      Truth truth = kind.truth(workload);
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
    return options.sites().isEmpty()
        ? windows.stream().map(Window::site).distinct().toList()
        : options.sites();
  }

  @Override
  public List<String> windows(String site) {
    return windowsOf(site).stream().map(Window::label).toList();
  }

  private List<Window<W>> windowsOf(String site) {
    return windows.stream().filter(window -> window.site().equals(site)).toList();
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
