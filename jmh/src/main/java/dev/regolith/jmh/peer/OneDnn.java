package dev.regolith.jmh.peer;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

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
import java.util.ArrayList;
import java.util.List;

/**
 * oneDNN: {@code dnnl_sgemm}, and its matrix multiplication primitive, which for packed rows gets
 * the weights in the layout that it asks for.
 */
public final class OneDnn implements Peer {
  static final String NAME = "oneDNN";

  /** Constants of this class, so that the calls are compiled to direct ones. */
  static final class C {
    static final NativeFunctions OPENMP = new NativeFunctions("libgomp.so.1");
    static final NativeFunctions LIBRARY = new NativeFunctions("libgomp.so.1", "libdnnl.so.3");
    static final MethodHandle SET_THREADS = OPENMP.get("omp_set_num_threads", Cblas.SET_THREADS);
    static final MethodHandle VERSION = LIBRARY.get("dnnl_version", FunctionDescriptor.of(ADDRESS));
    static final MethodHandle SGEMM =
        LIBRARY.get(
            "dnnl_sgemm",
            FunctionDescriptor.of(
                JAVA_INT,
                JAVA_BYTE,
                JAVA_BYTE,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_FLOAT,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_FLOAT,
                JAVA_LONG,
                JAVA_LONG));

    private C() {}
  }

  private final String version;

  private OneDnn() throws PeerAbsentException {
    NativeFunctions.require(() -> C.LIBRARY);
    version = version();
  }

  /** Loads it. */
  static OneDnn open() throws PeerAbsentException {
    return new OneDnn();
  }

  /** The start of {@code dnnl_version_t}: three integers. */
  @SuppressWarnings("restricted") // the struct lies in the library
  private static String version() {
    try {
      var struct = ((MemorySegment) C.VERSION.invokeExact()).reinterpret(12);
      return "%d.%d.%d"
          .formatted(struct.get(JAVA_INT, 0), struct.get(JAVA_INT, 4), struct.get(JAVA_INT, 8));
    } catch (Throwable e) {
      throw new IllegalStateException("oneDNN does not answer", e);
    }
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String detail() {
    return version;
  }

  @Override
  public List<Way> ways(Row row) {
    if (!(row.sizes() instanceof Shape)) {
      return List.of();
    }
    var ways = new ArrayList<Way>();
    ways.add(Way.of("sgemm", (r, problem, arena) -> new Sgemm(r, problem, Order.PLAIN, arena)));
    if (row.shape().batch() == 1) {
      ways.add(Way.of("matmul", (r, problem, arena) -> new OneDnnMatmul(r, problem, false, arena)));
    }
    if (row.operands() == Operands.PACKED) {
      ways.add(
          Way.of(
              "sgemm, B transposed",
              (r, problem, arena) -> new Sgemm(r, problem, Order.TRANSPOSED, arena)));
      ways.add(
          Way.of(
              "matmul, weights reordered ahead",
              (r, problem, arena) -> new OneDnnMatmul(r, problem, true, arena)));
    }
    return ways;
  }

  static void threads(int count) {
    try {
      C.SET_THREADS.invokeExact(count);
    } catch (Throwable e) {
      throw new IllegalStateException("OpenMP does not take a number of threads", e);
    }
  }

  private static final class Sgemm extends LoopedProduct {
    private final byte transpose;
    private final long ldb;

    Sgemm(Row row, Problem problem, Order order, Arena arena) {
      super(new PeerOperands(row, problem, order, arena), row.shape());
      transpose = (byte) (order == Order.PLAIN ? 'N' : 'T');
      ldb = order == Order.PLAIN ? shape.n() : shape.k();
      threads(row.threads());
    }

    @Override
    void multiply(long a, long b, long c) throws Throwable {
      Shape s = shape;
      int status =
          (int)
              C.SGEMM.invokeExact(
                  (byte) 'N',
                  transpose,
                  (long) s.m(),
                  (long) s.n(),
                  (long) s.k(),
                  1f,
                  a,
                  (long) s.k(),
                  b,
                  ldb,
                  0f,
                  c,
                  (long) s.n());
      if (status != 0) {
        throw new IllegalStateException("dnnl_sgemm returns " + status);
      }
    }
  }
}
