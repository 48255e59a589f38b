package dev.regolith.jmh.peer;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.regolith.jmh.contender.Way;
import dev.regolith.jmh.peer.TorchAttention.Entry;
import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.rows.Row;
import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;
import java.util.List;
import java.util.stream.Stream;

/**
 * PyTorch's flash attention for processors, by the C interface that its compiled models call
 * ({@code aoti_torch_...}): no Python, no Java binding. It multiplies by OpenBLAS, block by block
 * on each of its own OpenMP threads.
 */
public final class PyTorch implements Peer {
  static final String NAME = "PyTorch";

  /** Constants of this class, so that the calls are compiled to direct ones. */
  static final class C {
    static final NativeFunctions OPENMP = new NativeFunctions("libgomp.so.1");
    static final NativeFunctions BLAS =
        new NativeFunctions("libquadmath.so.0", "libgfortran.so.5", "libopenblas.so.0");
    static final NativeFunctions LIBRARY =
        new NativeFunctions("libgomp.so.1", "libc10.so", "libtorch_cpu.so");
    static final MethodHandle VERSION =
        LIBRARY.get("aoti_torch_abi_version", FunctionDescriptor.of(JAVA_LONG));
    static final MethodHandle BLAS_THREADS =
        BLAS.get("openblas_set_num_threads", Cblas.SET_THREADS);

    /** {@code at::set_num_threads(int)}, which no C interface offers. */
    static final MethodHandle SET_THREADS =
        LIBRARY.get("_ZN2at15set_num_threadsEi", Cblas.SET_THREADS);

    static final MethodHandle RECORD_GRADIENTS =
        LIBRARY.get("aoti_torch_grad_mode_set_enabled", FunctionDescriptor.ofVoid(JAVA_INT));

    /** Data, dimensions, sizes, strides, offset, type, kind of device, device, new handle. */
    static final MethodHandle WRAP =
        LIBRARY.get(
            "aoti_torch_create_tensor_from_blob",
            FunctionDescriptor.of(
                JAVA_INT, JAVA_LONG, JAVA_LONG, ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT,
                JAVA_INT, ADDRESS));

    /** Q, K, V, dropout, whether causal, mask, scale, new handles of result and log-sums. */
    static final MethodHandle ATTENTION =
        LIBRARY.get(
            "aoti_torch_cpu__scaled_dot_product_flash_attention_for_cpu",
            FunctionDescriptor.of(
                JAVA_INT,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_DOUBLE,
                JAVA_INT,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG));

    /** A second handle to a tensor. */
    static final MethodHandle AGAIN =
        LIBRARY.get(
            "aoti_torch_new_tensor_handle", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));

    /** Name, overload, arguments in words of 64 bits, which make room for results. */
    static final MethodHandle CALL =
        LIBRARY.get(
            "aoti_torch_call_dispatcher",
            FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG));

    static final MethodHandle DATA =
        LIBRARY.get("aoti_torch_get_data_ptr", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, ADDRESS));
    static final MethodHandle STRIDES =
        LIBRARY.get("aoti_torch_get_strides", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, ADDRESS));
    static final MethodHandle DELETE =
        LIBRARY.get("aoti_torch_delete_tensor_object", FunctionDescriptor.of(JAVA_INT, JAVA_LONG));

    private C() {}
  }

  private final String version;

  private PyTorch() throws PeerAbsentException {
    NativeFunctions.require(() -> C.LIBRARY);
    version = version();
  }

  /** Loads it. */
  static PyTorch open() throws PeerAbsentException {
    return new PyTorch();
  }

  /** A byte each, from the highest: major, minor, patch. */
  private static String version() {
    try {
      long version = (long) C.VERSION.invokeExact();
      return "%d.%d.%d, on OpenBLAS"
          .formatted(version >>> 56, version >>> 48 & 0xff, version >>> 40 & 0xff);
    } catch (Throwable e) {
      throw new IllegalStateException("PyTorch does not answer", e);
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
    if (!(row.sizes() instanceof AttentionShape shape)) {
      return List.of();
    }
    return Stream.of(Entry.values())
        .filter(entry -> entry == Entry.GENERAL || (shape.group() > 1 && shape.queries() == 1))
        .map(PyTorch::way)
        .toList();
  }

  private static Way way(Entry entry) {
    return Way.ofAttention(
        entry.way, (row, problem, arena) -> new TorchAttention(row, problem, entry, arena));
  }

  static void threads(int count) {
    try {
      C.SET_THREADS.invokeExact(count);
      // Each of its threads multiplies on its own.
      C.BLAS_THREADS.invokeExact(1);
      C.RECORD_GRADIENTS.invokeExact(0);
    } catch (Throwable e) {
      throw new IllegalStateException("PyTorch does not take a number of threads", e);
    }
  }
}
