package dev.regolith.kernels;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.fault.CallReport;
import dev.regolith.kernels.fault.FaultReport;
import dev.regolith.kernels.fault.Protection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/** A session together with the reports that its listeners got. */
record SessionUnderTest(Session session, List<FaultReport> reports, List<CallReport> calls)
    implements AutoCloseable {
  private record Key(int threads, Protection protection, Compute compute) {}

  private static final Map<Key, SessionUnderTest> KEPT = new ConcurrentHashMap<>();

  /**
   * An accelerator's tile of an item, and no group's; its columns and those of the host's panels.
   */
  private static final Pattern READS_FOR_ITSELF =
      Pattern.compile("tile \\d+x(\\d+)x(\\d+), (?:host|device) evidence.*tile \\d+ x (\\d+)");

  /** A session that is kept for the life of the JVM; its reports are cleared. Do not close. */
  static SessionUnderTest kept(int threads, Protection protection, Compute compute) {
    var kept =
        KEPT.computeIfAbsent(
            new Key(threads, protection, compute),
            key ->
                open(options ->
                    options.threads(key.threads).protection(key.protection).compute(key.compute)));
    kept.reports.clear();
    kept.calls.clear();
    return kept;
  }

  /** A new session; the listeners are taken. */
  static SessionUnderTest open(Consumer<SessionOptions> setup) {
    ProbeRelay.install();
    var reports = new CopyOnWriteArrayList<FaultReport>();
    var calls = Collections.synchronizedList(new ArrayList<CallReport>());
    var session =
        Regolith.open(options -> {
          // Faults of tests are many, and no device's own.
          options.retireAfter(Integer.MAX_VALUE, Duration.ZERO);
          setup.accept(options);
          options.onFault(reports::add).onCall(calls::add);
        });
    return new SessionUnderTest(session, reports, calls);
  }

  /** Whether kernels of the CPU are in machine code in this JVM. */
  static boolean isInMachineCode() {
    return kept(1, Protection.OFF, Compute.VECTOR).session.backend().contains("machine code");
  }

  /** Whether {@link Compute#BEST} is an accelerator in this JVM. */
  static boolean isDeviceComputing() {
    return named().isAccelerator();
  }

  /** What computes in this JVM: the CPU's vectors, or the accelerator it is about. */
  static Compute computing() {
    return isDeviceComputing() ? named() : Compute.VECTOR;
  }

  /** The accelerator that tests of devices are about in this JVM. */
  static Compute accelerator() {
    return isDeviceComputing() ? named() : Compute.OPENCL;
  }

  /**
   * Whether work-items of a session's accelerator read whole panels, each for itself: then what is
   * read once is summed up meanwhile.
   */
  static boolean readsPanels(Session session) {
    var tiles = READS_FOR_ITSELF.matcher(session.backend());
    return tiles.find()
        && Integer.parseInt(tiles.group(1)) * Integer.parseInt(tiles.group(2))
            == Integer.parseInt(tiles.group(3));
  }

  /** Whether an accelerator makes the evidence of its products in this JVM. */
  static boolean isEvidenceOfDevice() {
    return isDeviceComputing()
        && System.getProperty("dev.regolith.kernels.evidence", "host").equals("device");
  }

  /** Whether the accelerator of this JVM has attention verified by checks, where it can be. */
  static boolean isCheckingAttention() {
    var session = kept(1, Protection.CORRECT, accelerator()).session;
    String leftOut = session.configuration().get("experimentsLeftOut");
    return leftOut != null && !leftOut.contains("checks");
  }

  private static Compute named() {
    return Compute.named(System.getProperty("dev.regolith.kernels.compute", "best"));
  }

  /** The only report. */
  FaultReport report() {
    if (reports.size() != 1) {
      throw new AssertionError("expected one report, got " + reports);
    }
    return reports.getFirst();
  }

  @Override
  public void close() {
    session.close();
  }
}
