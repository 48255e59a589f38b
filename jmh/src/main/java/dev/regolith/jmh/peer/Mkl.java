package dev.regolith.jmh.peer;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.regolith.jmh.contender.Way;
import dev.regolith.jmh.exercise.Draw;
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

/** Intel's oneMKL; its own {@code sgemm_pack} and {@code sgemm_compute} serve packed rows. */
public final class Mkl implements Peer {
  static final String NAME = "MKL";

  private static final int B_MATRIX = 162;
  private static final int PACKED = 151;
  private static final int INTEL_THREADS = 0;

  /** Constants of this class, so that the calls are compiled to direct ones. */
  private static final class C {
    static final NativeFunctions LIBRARY =
        new NativeFunctions("libiomp5.so", "libmkl_core.so.2", "libmkl_rt.so.2");
    static final MethodHandle SGEMM = LIBRARY.get("cblas_sgemm", Cblas.SGEMM);
    static final MethodHandle SET_LAYER =
        LIBRARY.get("MKL_Set_Threading_Layer", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    static final MethodHandle SET_THREADS = LIBRARY.get("MKL_Set_Num_Threads", Cblas.SET_THREADS);
    static final MethodHandle VERSION =
        LIBRARY.get(
            "MKL_Get_Version_String",
            FunctionDescriptor.ofVoid(java.lang.foreign.ValueLayout.ADDRESS, JAVA_INT));
    static final MethodHandle PACK_SIZE =
        LIBRARY.get(
            "cblas_sgemm_pack_get_size",
            FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
    static final MethodHandle PACK =
        LIBRARY.get(
            "cblas_sgemm_pack",
            FunctionDescriptor.ofVoid(
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_FLOAT,
                JAVA_LONG,
                JAVA_INT,
                JAVA_LONG));
    static final MethodHandle COMPUTE =
        LIBRARY.get(
            "cblas_sgemm_compute",
            FunctionDescriptor.ofVoid(
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_LONG,
                JAVA_INT,
                JAVA_LONG,
                JAVA_INT,
                JAVA_FLOAT,
                JAVA_LONG,
                JAVA_INT));
  }

  private final String version;

  private Mkl() throws PeerAbsentException {
    NativeFunctions.require(() -> C.LIBRARY);
    version = version();
  }

  /** Loads it. */
  static Mkl open() throws PeerAbsentException {
    return new Mkl();
  }

  private static String version() {
    try (var arena = Arena.ofConfined()) {
      // Before anything else: it would take the threads of GNU's OpenMP if another peer brought
      // that.
      int layer = (int) C.SET_LAYER.invokeExact(INTEL_THREADS);
      if (layer != INTEL_THREADS) {
        throw new IllegalStateException("threading layer " + layer);
      }
      MemorySegment buffer = arena.allocate(512);
      C.VERSION.invokeExact(buffer, 511);
      return buffer
          .getString(0)
          .replaceFirst("^.*Version ", "")
          .replaceFirst("-Product Build (\\d+).*", ", build $1")
          .strip();
    } catch (Throwable e) {
      throw new IllegalStateException("MKL does not answer", e);
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
    Way plain = Way.of("sgemm", (r, problem, arena) -> new Sgemm(r, problem, Order.PLAIN, arena));
    if (row.operands() == Operands.FRESH) {
      return List.of(plain);
    }
    return List.of(
        plain,
        Way.of(
            "sgemm, B transposed",
            (r, problem, arena) -> new Sgemm(r, problem, Order.TRANSPOSED, arena)),
        Way.of("sgemm_pack and sgemm_compute", Prepacked::new));
  }

  private static void threads(int count) {
    try {
      C.SET_THREADS.invokeExact(count);
    } catch (Throwable e) {
      throw new IllegalStateException("MKL does not take a number of threads", e);
    }
  }

  private static final class Sgemm extends LoopedProduct {
    private final int transpose;
    private final int ldb;

    Sgemm(Row row, Problem problem, Order order, Arena arena) {
      super(new PeerOperands(row, problem, order, arena), row.shape());
      transpose = Cblas.transpose(order);
      ldb = order == Order.PLAIN ? shape.n() : shape.k();
      threads(row.threads());
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

  private static final class Prepacked extends LoopedProduct {
    Prepacked(Row row, Problem problem, Arena arena) {
      super(new PeerOperands(row, problem, Order.PLAIN, arena), row.shape());
      threads(row.threads());
      operands.repack(source -> pack(source, arena));
    }

    private MemorySegment pack(MemorySegment source, Arena arena) {
      Shape s = shape;
      try {
        long bytes = (long) C.PACK_SIZE.invokeExact(B_MATRIX, s.m(), s.n(), s.k());
        MemorySegment packed = Draw.memory(arena, bytes);
        C.PACK.invokeExact(
            Cblas.ROW_MAJOR,
            B_MATRIX,
            Cblas.NO_TRANSPOSE,
            s.m(),
            s.n(),
            s.k(),
            1f,
            source.address(),
            s.n(),
            packed.address());
        return packed;
      } catch (Throwable e) {
        throw new IllegalStateException("MKL does not pack", e);
      }
    }

    @Override
    void multiply(long a, long b, long c) throws Throwable {
      Shape s = shape;
      C.COMPUTE.invokeExact(
          Cblas.ROW_MAJOR,
          Cblas.NO_TRANSPOSE,
          PACKED,
          s.m(),
          s.n(),
          s.k(),
          a,
          s.k(),
          b,
          s.n(),
          0f,
          c,
          s.n());
    }
  }
}
