package dev.regolith.faultinjection.campaign;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.LongConsumer;
import java.util.function.UnaryOperator;

/**
 * An engine that injects nothing and makes up outcomes that look like those of a real one: high
 * bits corrupt, low bits round away, and protection repairs all of it.
 */
public final class FakeEngine implements Engine {
  private static final Map<String, List<String>> LIFE = life();
  private static final Set<String> ONLY_PROTECTED =
      Set.of("evidence", "check-vectors", "tolerance", "seals");

  private final EngineOptions options;
  private final Map<Long, ControlRecord> controls = new HashMap<>();
  private final Set<String> unreachable = new HashSet<>();
  private UnaryOperator<TrialRecord> twist = UnaryOperator.identity();
  private LongConsumer before = _ -> {};
  private boolean closed;

  public FakeEngine(EngineOptions options) {
    this.options = options;
  }

  public static FakeEngine both(long seed) {
    return new FakeEngine(
        new EngineOptions(seed, Set.of(Arm.values()), List.of(), Optional.empty()));
  }

  public static List<String> allSites() {
    return List.copyOf(LIFE.keySet());
  }

  /** Changes what is recorded. */
  public FakeEngine twist(UnaryOperator<TrialRecord> change) {
    twist = change;
    return this;
  }

  /** Runs something before each trial, such as throwing an exception. */
  public FakeEngine before(LongConsumer action) {
    before = action;
    return this;
  }

  /** Answers this control instead of a passed one. */
  public FakeEngine control(ControlRecord control) {
    controls.put(control.index(), control);
    return this;
  }

  /** Never hits this site, or this {@code site/window}. */
  public FakeEngine neverHits(String siteOrWindow) {
    unreachable.add(siteOrWindow);
    return this;
  }

  public boolean closed() {
    return closed;
  }

  @Override
  public List<TrialRecord> trial(long index) {
    before.accept(index);
    var random = new SplittableRandom(options.seed() * 0x9E3779B97F4A7C15L + index);
    random.nextLong();
    String site = pick(random, sites());
    String window = pick(random, windows(site));
    FaultModel model = pick(random, List.of(FaultModel.values()));
    int bit = random.nextInt(32);
    double luck = random.nextDouble();
    List<TrialRecord> arms = new ArrayList<>();
    for (Arm arm : options.arms()) {
      boolean exists = arm == Arm.CORRECT || !ONLY_PROTECTED.contains(site);
      boolean reached =
          exists && !unreachable.contains(site) && !unreachable.contains(site + "/" + window);
      Outcome outcome = reached ? outcome(arm, bit, luck) : Outcome.NOT_INJECTED;
      boolean latent =
          reached && arm == Arm.OFF && site.equals("weights") && outcome != Outcome.MASKED;
      arms.add(
          twist.apply(
              new TrialRecord(
                  index,
                  arm,
                  site,
                  window,
                  model,
                  "layers.0.mlp.up_proj 24x192x64",
                  reached ? bit : -1,
                  reached ? "%08x".formatted(1 << bit) : "00000000",
                  outcome,
                  latent,
                  "")));
    }
    return arms;
  }

  private static Outcome outcome(Arm arm, int bit, double luck) {
    double harm = bit >= 27 ? 0.95 : bit >= 23 ? 0.8 : Math.max(0, (bit - 6) / 20.0);
    if (luck < harm) {
      return arm == Arm.OFF ? Outcome.SDC : Outcome.CORRECTED;
    }
    if (luck < harm + 0.6 * (1 - harm)) {
      return arm == Arm.OFF ? Outcome.BENIGN : Outcome.CORRECTED;
    }
    return Outcome.MASKED;
  }

  private static <T> T pick(SplittableRandom random, List<T> from) {
    return from.get(random.nextInt(from.size()));
  }

  @Override
  public ControlRecord control(long index) {
    return controls.getOrDefault(index, new ControlRecord(index, true, false, "fake", ""));
  }

  @Override
  public Map<String, Object> configuration() {
    Map<String, Object> gemm = new LinkedHashMap<>();
    gemm.put("backend", "fake");
    gemm.put("tile", List.of(6, 16));
    gemm.put("falseAlarmProbability", 1e-12);
    Map<String, Object> configuration = new LinkedHashMap<>();
    configuration.put("version", "0.1.0 <test>");
    configuration.put("threads", 1);
    configuration.put("gemm", gemm);
    return configuration;
  }

  @Override
  public List<String> sites() {
    return options.sites().isEmpty() ? allSites() : options.sites();
  }

  @Override
  public List<String> windows(String site) {
    return LIFE.getOrDefault(site, List.of());
  }

  @Override
  public void close() {
    closed = true;
  }

  private static Map<String, List<String>> life() {
    List<String> operand = List.of("before-call", "between-reads", "before-check", "after-check");
    Map<String, List<String>> life = new LinkedHashMap<>();
    life.put("a", operand);
    life.put("weights", operand);
    life.put("packed-a", List.of("before-use", "between-reads", "before-check"));
    life.put("packed-b", List.of("before-use", "between-reads", "before-check"));
    life.put("c-between-k-blocks", List.of("first", "later"));
    life.put("c-stored", List.of("before-check", "before-consumer"));
    life.put("evidence", List.of("before-check"));
    life.put("check-vectors", List.of("before-call", "between-reads"));
    life.put("tolerance", List.of("before-check"));
    life.put("seals", operand);
    return life;
  }
}
