package dev.regolith.kernels;

import java.util.function.Consumer;

/**
 * Tensor kernels that notice when a particle, a defective core or a bug changed a number, and put
 * back the exact bits.
 *
 * <pre>{@code
 * try (var session = Regolith.open(options -> options.threads(2).onFault(log::fault));
 *     var arena = Arena.ofShared()) {
 *   var weights = session.pack(Tensor.of(arena, data, outFeatures, inFeatures));
 *   var y = Tensor.zeros(arena, FLOAT32, batch, outFeatures);
 *   var status = session.gemm(x, weights.transposed(), y);
 * }
 * }</pre>
 */
public final class Regolith {
  private Regolith() {}

  /** Opens a session with default options. */
  public static Session open() {
    return open(options -> {});
  }

  /**
   * Opens a session.
   *
   * @throws IllegalStateException if {@link SessionOptions#strict} was asked for and this JVM
   *     cannot run the library as it should be run
   */
  public static Session open(Consumer<SessionOptions> setup) {
    var options = new SessionOptions();
    setup.accept(options);
    return new Session(options);
  }
}
