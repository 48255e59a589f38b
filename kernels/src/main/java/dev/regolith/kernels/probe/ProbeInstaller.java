package dev.regolith.kernels.probe;

import org.jspecify.annotations.Nullable;

/** Takes the hook before {@link Probe} is loaded and its answer becomes a constant. */
public final class ProbeInstaller {
  private static Probe.@Nullable Hook hook;
  private static boolean sealed;

  private ProbeInstaller() {}

  /**
   * Installs the hook for the life of this JVM.
   *
   * @throws IllegalStateException if a kernel ran before, or a hook was installed before
   */
  public static synchronized void install(Probe.Hook newHook) {
    if (sealed || hook != null) {
      throw new IllegalStateException(
          "a probe is installed once, before the first session is opened in this JVM");
    }
    hook = newHook;
  }

  static synchronized Probe.@Nullable Hook seal() {
    sealed = true;
    return hook;
  }
}
