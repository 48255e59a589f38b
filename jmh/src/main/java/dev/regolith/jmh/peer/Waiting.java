package dev.regolith.jmh.peer;

import java.util.Locale;
import java.util.Map;

/** How the threads of a peer wait for its next call. */
public enum Waiting {
  /**
   * As ours do: they keep their core for about 50 microseconds, the default of a session, and then
   * sleep. With a rest of a millisecond before every turn, nobody's threads are awake while another
   * is timed, and nobody pays for waking them in every call.
   */
  BRIEF(
      "50us", // Intel's OpenMP
      "2000", // GNU's: rounds of a pause instruction
      "17", // OpenBLAS: 2^17 ticks of the time stamp counter
      "50"), // ONNX Runtime: microseconds
  /**
   * They sleep at once. Short calls on several threads then mostly measure how fast a system wakes
   * a thread, which our own workers do not pay: peers were up to six times slower at 128 cubed.
   */
  PASSIVE("0", "0", "4", "0"); // 2^4 ticks are the least OpenBLAS takes

  /** Our own variable: ONNX Runtime reads none. */
  private static final String ONNX_RUNTIME = "REGOLITH_ORT_SPIN_MICROS";

  private final String intel;
  private final String gnu;
  private final String openBlas;
  private final String onnxRuntime;

  Waiting(String intel, String gnu, String openBlas, String onnxRuntime) {
    this.intel = intel;
    this.gnu = gnu;
    this.openBlas = openBlas;
    this.onnxRuntime = onnxRuntime;
  }

  /** The name on the command line. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The environment that makes them wait so. */
  public Map<String, String> variables() {
    return Map.of(
        "KMP_BLOCKTIME",
        intel,
        "GOMP_SPINCOUNT",
        gnu,
        "OPENBLAS_THREAD_TIMEOUT",
        openBlas,
        ONNX_RUNTIME,
        onnxRuntime,
        "OMP_WAIT_POLICY",
        "PASSIVE"); // for what the others leave open
  }

  /**
   * The same for a session of ONNX Runtime, whose threads listen to its options only.
   *
   * @param environment of this process
   */
  static Map<String, String> onnxRuntime(Map<String, String> environment) {
    String micros = environment.getOrDefault(ONNX_RUNTIME, BRIEF.onnxRuntime);
    return micros.equals(PASSIVE.onnxRuntime)
        ? Map.of("session.intra_op.allow_spinning", "0")
        : Map.of(
            "session.intra_op.allow_spinning", "1", "session.intra_op.spin_duration_us", micros);
  }
}
