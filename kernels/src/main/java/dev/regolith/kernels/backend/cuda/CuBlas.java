package dev.regolith.kernels.backend.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.regolith.kernels.backend.device.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The functions of cuBLAS that are needed, in the system's {@code libcublas.so} of CUDA 12 or 13,
 * or what {@code -Ddev.regolith.kernels.cublas.library} names. Handles, and addresses in device
 * memory, are plain longs. All but {@link #absence} want a context that is current on their thread.
 */
final class CuBlas {
  private static final int SUCCESS = 0;

  /** {@code CUBLAS_OP_N}: as it lies. */
  private static final int NOT_TRANSPOSED = 0;

  /** {@code CUDA_R_32F}. */
  private static final int FLOAT32 = 0;

  /** {@code CUBLAS_COMPUTE_32F_PEDANTIC}: no shorter format, whatever the environment asks for. */
  private static final int COMPUTE_FLOAT32 = 69;

  /** {@code CUBLAS_GEMM_DEFAULT}: the library's own choice. */
  private static final int ANY_ALGORITHM = -1;

  private static final NativeLibrary LIBRARY =
      new NativeLibrary(
          "dev.regolith.kernels.cublas.library",
          "install NVIDIA's cuBLAS (a part of the CUDA toolkit), or name its file with"
              + " -Ddev.regolith.kernels.cublas.library",
          "cublasGemmEx_64",
          System.mapLibraryName("cublas"),
          System.mapLibraryName("cublas") + ".13",
          System.mapLibraryName("cublas") + ".12");

  private CuBlas() {}

  /** Why it is not there, and the remedy; empty if it is. */
  static String absence() {
    return LIBRARY.absence();
  }

  /** The handles, linked when the first function is called. */
  private static final class Functions {
    static final MethodHandle STATUS_NAME = LIBRARY.object("cublasGetStatusName", "i");
    static final MethodHandle CREATE = LIBRARY.integer("cublasCreate_v2", "p");
    static final MethodHandle DESTROY = LIBRARY.integer("cublasDestroy_v2", "l");
    static final MethodHandle SET_STREAM = LIBRARY.integer("cublasSetStream_v2", "ll");
    static final MethodHandle VERSION = LIBRARY.integer("cublasGetVersion_v2", "lp");
    static final MethodHandle GEMM = LIBRARY.integer("cublasGemmEx_64", "liilllplillilplilii");

    private Functions() {}
  }

  private static void command(String name, NativeLibrary.Call call) {
    int code = NativeLibrary.code(call);
    if (code != SUCCESS) {
      throw CudaException.ofDriver(name, code, statusName(code));
    }
  }

  private static String statusName(int code) {
    var address = new long[1];
    NativeLibrary.code(() -> {
      address[0] = (long) Functions.STATUS_NAME.invokeExact(code);
      return SUCCESS;
    });
    return NativeLibrary.text(MemorySegment.ofAddress(address[0]));
  }

  /** What products of one stream need; they wait for nobody else's. */
  static long create(long stream) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment answer = arena.allocate(JAVA_LONG);
      command("cublasCreate", () -> (int) Functions.CREATE.invokeExact(answer));
      long handle = answer.get(JAVA_LONG, 0);
      try {
        command("cublasSetStream", () -> (int) Functions.SET_STREAM.invokeExact(handle, stream));
      } catch (RuntimeException e) {
        destroy(handle);
        throw e;
      }
      return handle;
    }
  }

  static void destroy(long handle) {
    command("cublasDestroy", () -> (int) Functions.DESTROY.invokeExact(handle));
  }

  /** As in 13.1.0. */
  static String version(long handle) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment answer = arena.allocate(JAVA_INT);
      command("cublasGetVersion", () -> (int) Functions.VERSION.invokeExact(handle, answer));
      int version = answer.get(JAVA_INT, 0);
      return "%d.%d.%d".formatted(version / 10000, version / 100 % 100, version % 100);
    }
  }

  /**
   * C = alpha A B + beta C in float32, column-major.
   *
   * @param m rows of A and C; {@code n} columns of B and C; {@code k} columns of A, rows of B
   * @param factors alpha, and beta behind it
   */
  static void multiply(
      long handle,
      long m,
      long n,
      long k,
      MemorySegment factors,
      long a,
      long pitchOfA,
      long b,
      long pitchOfB,
      long c,
      long pitchOfC) {
    command(
        "cublasGemmEx",
        () ->
            (int)
                Functions.GEMM.invokeExact(
                    handle,
                    NOT_TRANSPOSED,
                    NOT_TRANSPOSED,
                    m,
                    n,
                    k,
                    factors,
                    a,
                    FLOAT32,
                    pitchOfA,
                    b,
                    FLOAT32,
                    pitchOfB,
                    factors.asSlice(JAVA_FLOAT.byteSize()),
                    c,
                    FLOAT32,
                    pitchOfC,
                    COMPUTE_FLOAT32,
                    ANY_ALGORITHM));
  }
}
