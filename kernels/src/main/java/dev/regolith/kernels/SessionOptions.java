package dev.regolith.kernels;

import dev.regolith.kernels.fault.CallListener;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.FaultListener;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.guard.Probation;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** How a session computes. Every setting has a default; not thread-safe. */
public final class SessionOptions {
  /** Which implementation computes. */
  public enum Compute {
    /**
     * What {@code -Ddev.regolith.kernels.compute} names, in any case of letters; without it the
     * fastest that this JVM's own code can be, and a slower one than it could is announced.
     */
    BEST,
    /** The Vector API. */
    VECTOR,
    /** Plain Java. */
    SCALAR,
    /**
     * An OpenCL device multiplies and attends, and computes rows that are there; the host verifies,
     * and does everything else; see {@link SessionOptions#device}, {@link SessionOptions#evidence}
     * and docs/accelerators.md. If the device fails during a session, the host computes on, which
     * is announced.
     */
    OPENCL,
    /** The same with a GPU of NVIDIA, through its driver and NVRTC, which compiles the kernels. */
    CUDA;

    /** Whether a device computes, of which there may be several. */
    public boolean isAccelerator() {
      return this == OPENCL || this == CUDA;
    }

    /**
     * The one of a name, in any case of letters.
     *
     * @throws IllegalArgumentException if there is none; the message lists all
     */
    public static Compute named(String name) {
      for (Compute compute : values()) {
        if (compute.name().equalsIgnoreCase(name)) {
          return compute;
        }
      }
      throw new IllegalArgumentException(
          "there is no backend '%s'; there are: %s"
              .formatted(name, Arrays.toString(values()).toLowerCase(Locale.ROOT)));
    }
  }

  private int threads = Runtime.getRuntime().availableProcessors();
  private Duration spin = Duration.ofNanos(50_000);
  private Protection protection = Protection.CORRECT;
  private FaultListener listener = report -> {};
  private @Nullable CallListener callListener;
  private Compute compute = Compute.BEST;
  private String device = "";
  private EvidenceLevel evidence = EvidenceLevel.preferred();
  private Probation probation = new Probation(10, Duration.ofMinutes(1));
  private boolean strict;

  SessionOptions() {}

  /**
   * Threads a call may use, the calling one included; 1 means the calling thread only. Default: all
   * processors.
   */
  public SessionOptions threads(int count) {
    if (count < 1 || count > 1024) {
      throw new IllegalArgumentException("threads must be from 1 to 1024, not " + count);
    }
    threads = count;
    return this;
  }

  /** How long an idle worker keeps its core before it sleeps. Default: 50 microseconds. */
  public SessionOptions spin(Duration time) {
    if (time.isNegative() || time.compareTo(Duration.ofSeconds(1)) > 0) {
      throw new IllegalArgumentException("spin must be from 0 to 1 s, not " + time);
    }
    spin = time;
    return this;
  }

  /** What to do about faults. Default: {@link Protection#CORRECT}. */
  public SessionOptions protection(Protection mode) {
    protection = mode;
    return this;
  }

  /** Is told of every incident. Default: nobody; counters, log and flight recorder always are. */
  public SessionOptions onFault(FaultListener newListener) {
    listener = newListener;
    return this;
  }

  /**
   * Is told of every protected call that has a result: what it found, and who made the evidence
   * that it was accepted on. Default: nobody; {@link Session#counters} count the latter.
   */
  public SessionOptions onCall(CallListener newListener) {
    callListener = newListener;
    return this;
  }

  /** Which implementation computes. Default: {@link Compute#BEST}. */
  public SessionOptions compute(Compute choice) {
    compute = choice;
    return this;
  }

  /**
   * Which accelerator computes, where one was asked for: part of the name of the device or its
   * platform, in any case of letters, or its number in the list that {@code regolith doctor}
   * prints. Default: one that promises the CPU's bits, if there is one, and a GPU, if there is one
   * of these.
   */
  public SessionOptions device(String nameOrNumber) {
    device = nameOrNumber;
    return this;
  }

  /**
   * Who makes the evidence of an accelerator's products. Default: {@link EvidenceLevel#preferred}.
   */
  public SessionOptions evidence(EvidenceLevel level) {
    evidence = level;
    return this;
  }

  /**
   * When an accelerator is not trusted any more: after so many calls within so long in which a
   * fault was corrected that nothing found damaged on the host explains. The host computes from
   * then on, which is announced, also by a strict session. Default: 10 within a minute.
   *
   * @param incidents 1 or more; {@link Integer#MAX_VALUE} for never
   */
  public SessionOptions retireAfter(int incidents, Duration within) {
    if (incidents < 1 || within.isNegative()) {
      throw new IllegalArgumentException(
          "an accelerator is retired after 1 incident or more, within a time that is not negative,"
              + " not %d within %s".formatted(incidents, within));
    }
    probation = new Probation(incidents, within);
    return this;
  }

  /**
   * Whether to refuse, instead of announcing, what would make a session slower or less exact than
   * it should be: a missing module, denied native access, an interpreter, a flush-to-zero mode, a
   * device whose arithmetic does not promise the CPU's bits. Default: no.
   */
  public SessionOptions strict(boolean refuse) {
    strict = refuse;
    return this;
  }

  int threads() {
    return threads;
  }

  Duration spin() {
    return spin;
  }

  Protection protection() {
    return protection;
  }

  FaultListener listener() {
    return listener;
  }

  @Nullable CallListener callListener() {
    return callListener;
  }

  Compute compute() {
    return compute;
  }

  String device() {
    return device;
  }

  EvidenceLevel evidence() {
    return evidence;
  }

  Probation probation() {
    return probation;
  }

  boolean strict() {
    return strict;
  }
}
