package dev.regolith.jmh.peer;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The environment in which peers are measured. Variables that a user happens to have may halve a
 * peer's speed (a forced core type, a wrong cache size); and threads that wait in a loop for the
 * next call of their library rob whoever is timed next.
 */
@SuppressWarnings("restricted") // two functions of the C library
public final class PeerEnvironment {
  /** Variables that these libraries read: whatever begins like this is taken away. */
  private static final List<String> FOREIGN =
      List.of(
          "OPENBLAS_",
          "GOTO_",
          "OMP_",
          "GOMP_",
          "KMP_",
          "MKL_",
          "DNNL_",
          "ONEDNN_",
          "BLIS_",
          "ATEN_",
          "TORCH_",
          "PYTORCH_",
          "ORT_",
          "REGOLITH_ORT_");

  /** Flags for JVMs that nobody sees on a command line. */
  private static final List<String> JAVA =
      List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS");

  /** Which of its kernels OpenBLAS uses; without it, it decides by itself. */
  public static final String OPENBLAS_CORE = "OPENBLAS_CORETYPE";

  /** As many threads as asked for, and of MKL the ones that come with it. */
  private static final Map<String, String> THREADS =
      Map.of("OMP_DYNAMIC", "FALSE", "MKL_DYNAMIC", "FALSE", "MKL_THREADING_LAYER", "INTEL");

  private PeerEnvironment() {}

  /** What is set, for the report. */
  public static SortedMap<String, String> variables(Waiting waiting) {
    var all = new TreeMap<>(waiting.variables());
    all.putAll(THREADS);
    return all;
  }

  /** Cleans the environment of a process that is about to be started. */
  public static void clean(Map<String, String> environment, Waiting waiting, String openBlasCore) {
    environment.keySet().removeIf(name -> isForeign(name) || JAVA.contains(name));
    environment.putAll(variables(waiting));
    if (!openBlasCore.isEmpty()) {
      environment.put(OPENBLAS_CORE, openBlasCore);
    }
  }

  /**
   * Cleans the environment of this process, for those who were started by somebody else, before any
   * peer is loaded. Java's own view of the environment stays as it was.
   */
  public static void cleanOwn(Waiting waiting, String openBlasCore) {
    var wanted = new TreeMap<>(System.getenv());
    clean(wanted, waiting, openBlasCore);
    Linker linker = Linker.nativeLinker();
    var libc = linker.defaultLookup();
    MethodHandle set =
        linker.downcallHandle(
            libc.findOrThrow("setenv"),
            FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_INT));
    MethodHandle unset =
        linker.downcallHandle(
            libc.findOrThrow("unsetenv"), FunctionDescriptor.of(JAVA_INT, ADDRESS));
    try (var arena = Arena.ofConfined()) {
      for (String name : System.getenv().keySet()) {
        if (isForeign(name) && !wanted.containsKey(name)) {
          var _ = (int) unset.invokeExact(arena.allocateFrom(name));
        }
      }
      for (var entry : wanted.entrySet()) {
        if (isForeign(entry.getKey())) {
          var _ =
              (int)
                  set.invokeExact(
                      arena.allocateFrom(entry.getKey()), arena.allocateFrom(entry.getValue()), 1);
        }
      }
    } catch (Throwable e) {
      throw new IllegalStateException("the environment cannot be cleaned", e);
    }
  }

  private static boolean isForeign(String name) {
    return FOREIGN.stream().anyMatch(name::startsWith);
  }
}
