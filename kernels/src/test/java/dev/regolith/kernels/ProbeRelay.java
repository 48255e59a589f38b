package dev.regolith.kernels;

import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbeInstaller;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;

/**
 * The probe of a test JVM: silent, unless a test lends it a hook. A probe can be installed only
 * before the first kernel runs, so that {@link ProbeOrderer} does it for every test JVM.
 */
final class ProbeRelay implements Probe.Hook {
  private static final Probe.Hook SILENT = (point, memory, offset, rows, rowBytes, stride) -> {};
  private static final ProbeRelay INSTANCE = new ProbeRelay();

  static {
    ProbeInstaller.install(INSTANCE);
  }

  private volatile Probe.Hook listener = SILENT;

  private ProbeRelay() {}

  /** A hook on loan; closing takes it back. */
  interface Loan extends AutoCloseable {
    @Override
    void close();
  }

  /** Loading this class installs the relay. */
  static void install() {}

  /** Has a hook called until the loan is closed. */
  static Loan lend(Probe.Hook hook) {
    INSTANCE.listener = hook;
    return () -> INSTANCE.listener = SILENT;
  }

  @Override
  public void reached(
      ProbePoint point, MemorySegment memory, long offset, long rows, long rowBytes, long stride) {
    listener.reached(point, memory, offset, rows, rowBytes, stride);
  }
}
