package dev.regolith.jmh.peer;

import static java.lang.foreign.ValueLayout.ADDRESS;

import dev.regolith.jmh.contender.Computation;
import dev.regolith.jmh.contender.Way;
import dev.regolith.jmh.peer.PeerOperands.Order;
import dev.regolith.jmh.product.Problem;
import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.rows.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/**
 * OpenBLAS. It cannot pack ahead; of packed rows it gets the weights in the order it likes best.
 */
public final class OpenBlas implements Peer {
  static final String NAME = "OpenBLAS";

  /** Constants of this class, so that the calls are compiled to direct ones. */
  private static final class C {
    static final NativeFunctions LIBRARY =
        new NativeFunctions("libquadmath.so.0", "libgfortran.so.5", "libopenblas.so.0");
    static final MethodHandle SGEMM = LIBRARY.get("cblas_sgemm", Cblas.SGEMM);
    static final MethodHandle SET_THREADS =
        LIBRARY.get("openblas_set_num_threads", Cblas.SET_THREADS);
    static final MethodHandle CORE =
        LIBRARY.get("openblas_get_corename", FunctionDescriptor.of(ADDRESS));
    static final MethodHandle CONFIG =
        LIBRARY.get("openblas_get_config", FunctionDescriptor.of(ADDRESS));
  }

  private final String core;
  private final String config;

  private OpenBlas() throws PeerAbsentException {
    NativeFunctions.require(() -> C.LIBRARY);
    core = text(C.CORE);
    config = text(C.CONFIG);
  }

  /** Loads it. */
  static OpenBlas open() throws PeerAbsentException {
    return new OpenBlas();
  }

  @SuppressWarnings("restricted") // the length of a C string is not known
  private static String text(MethodHandle function) {
    try {
      var address = (MemorySegment) function.invokeExact();
      return address.reinterpret(1024).getString(0).strip();
    } catch (Throwable e) {
      throw new IllegalStateException("OpenBLAS does not answer", e);
    }
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String detail() {
    String version = config.replaceFirst("^OpenBLAS ", "").replaceFirst(" .*", "");
    return "%s, core type %s".formatted(version, core);
  }

  @Override
  public List<Way> ways(Row row) {
    if (!(row.sizes() instanceof Shape)) {
      return List.of();
    }
    Way plain = Way.of("sgemm", (r, problem, arena) -> new Sgemm(r, problem, Order.PLAIN, arena));
    if (row.operands() == Operands.FRESH) {
      return List.of(plain);
    }
    return List.of(
        plain,
        Way.of(
            "sgemm, B transposed",
            (r, problem, arena) -> new Sgemm(r, problem, Order.TRANSPOSED, arena)));
  }

  private static final class Sgemm extends LoopedProduct implements Computation {
    private final int transpose;
    private final int ldb;

    Sgemm(Row row, Problem problem, Order order, Arena arena) {
      super(new PeerOperands(row, problem, order, arena), row.shape());
      transpose = Cblas.transpose(order);
      ldb = order == Order.PLAIN ? shape.n() : shape.k();
      try {
        C.SET_THREADS.invokeExact(row.threads());
      } catch (Throwable e) {
        throw new IllegalStateException("OpenBLAS does not take a number of threads", e);
      }
    }

    @Override
    void multiply(long a, long b, long c) throws Throwable {
      Shape s = shape;
      C.SGEMM.invokeExact(
          Cblas.ROW_MAJOR,
          Cblas.NO_TRANSPOSE,
          transpose,
          s.m(),
          s.n(),
          s.k(),
          1f,
          a,
          s.k(),
          b,
          ldb,
          0f,
          c,
          s.n());
    }
  }
}
