package dev.regolith.jmh.peer;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.regolith.jmh.contender.Way;
import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.rows.Row;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.List;
import java.util.stream.Stream;

/**
 * ONNX Runtime, by its C interface: models of one node each, of those operators that compute an
 * attention.
 */
public final class OnnxRuntime implements Peer {
  static final String NAME = "ONNXRuntime";

  /** Constants of this class, so that the calls are compiled to direct ones. */
  @SuppressWarnings("restricted") // the functions lie in a struct of the library
  static final class C {
    /** All that is called here has been there since. */
    private static final int API_VERSION = 11;

    static final NativeFunctions LIBRARY = new NativeFunctions("libonnxruntime.so");

    /** {@code OrtApiBase}: a function that finds the one below, and one for the version. */
    private static final MemorySegment BASE = base();

    /** {@code OrtApi}: functions, numbered through in the order of the C header. */
    private static final MemorySegment API = api();

    static final MethodHandle MESSAGE = at(API, 2, FunctionDescriptor.of(ADDRESS, JAVA_LONG));

    /** Level of the log, its name, new environment. */
    static final MethodHandle ENVIRONMENT = api(3, JAVA_INT, ADDRESS, ADDRESS);

    /** Environment, model, its bytes, options, new session. */
    static final MethodHandle SESSION = api(8, JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_LONG, ADDRESS);

    /** Session, options, names and values of inputs, count, names of outputs, count, values. */
    static final MethodHandle RUN =
        api(
            9, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG,
            JAVA_LONG);

    static final MethodHandle OPTIONS = api(10, ADDRESS);
    static final MethodHandle THREADS = api(24, JAVA_LONG, JAVA_INT);

    /** Description of memory, data, bytes, sizes, dimensions, type of elements, new value. */
    static final MethodHandle TENSOR =
        api(49, JAVA_LONG, JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_INT, ADDRESS);

    static final MethodHandle MEMORY = api(69, JAVA_INT, JAVA_INT, ADDRESS);
    static final MethodHandle RELEASE_STATUS = release(93);
    static final MethodHandle RELEASE_MEMORY = release(94);
    static final MethodHandle RELEASE_SESSION = release(95);
    static final MethodHandle RELEASE_VALUE = release(96);
    static final MethodHandle RELEASE_OPTIONS = release(100);

    /** Options, key, value. */
    static final MethodHandle CONFIGURE = api(130, JAVA_LONG, ADDRESS, ADDRESS);

    private C() {}

    private static MemorySegment base() {
      try {
        var base =
            (MemorySegment)
                LIBRARY.get("OrtGetApiBase", FunctionDescriptor.of(ADDRESS)).invokeExact();
        return base.reinterpret(2 * ADDRESS.byteSize());
      } catch (Throwable e) {
        throw new IllegalStateException("ONNX Runtime does not answer", e);
      }
    }

    private static MemorySegment api() {
      try {
        MethodHandle find = at(BASE, 0, FunctionDescriptor.of(ADDRESS, JAVA_INT));
        var api = (MemorySegment) find.invokeExact(API_VERSION);
        return api.reinterpret(131 * ADDRESS.byteSize());
      } catch (Throwable e) {
        throw new IllegalStateException("ONNX Runtime does not answer", e);
      }
    }

    /** A function that returns a status. */
    private static MethodHandle api(int number, ValueLayout... arguments) {
      return at(API, number, FunctionDescriptor.of(JAVA_LONG, arguments));
    }

    private static MethodHandle release(int number) {
      return at(API, number, FunctionDescriptor.ofVoid(JAVA_LONG));
    }

    private static MethodHandle at(MemorySegment struct, int number, FunctionDescriptor type) {
      return Linker.nativeLinker().downcallHandle(struct.getAtIndex(ADDRESS, number), type);
    }

    @SuppressWarnings("restricted")
    static String text(MethodHandle function) throws Throwable {
      return ((MemorySegment) function.invokeExact()).reinterpret(1024).getString(0);
    }
  }

  private static final int LOG_ERRORS = 3;

  private final String version;
  private final long environment;

  private OnnxRuntime() throws PeerAbsentException {
    NativeFunctions.require(() -> C.LIBRARY);
    try (var scratch = Arena.ofConfined()) {
      version = C.text(C.at(C.BASE, 1, FunctionDescriptor.of(ADDRESS)));
      MemorySegment handle = scratch.allocate(JAVA_LONG);
      check((long) C.ENVIRONMENT.invokeExact(LOG_ERRORS, scratch.allocateFrom("regolith"), handle));
      environment = handle.get(JAVA_LONG, 0);
    } catch (Throwable e) {
      throw new IllegalStateException("ONNX Runtime does not start: " + e.getMessage(), e);
    }
  }

  /** Loads it. */
  static OnnxRuntime open() throws PeerAbsentException {
    return new OnnxRuntime();
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
    return row.sizes() instanceof AttentionShape shape
        ? Stream.of(OnnxOperator.values())
            .filter(operator -> operator.computes(shape))
            .map(operator ->
                Way.ofAttention(
                    operator.way(),
                    (r, problem, arena) ->
                        new OnnxAttention(environment, operator, r, problem, arena)))
            .toList()
        : List.of();
  }

  /** Turns a status into an exception, unless it is none. */
  @SuppressWarnings("restricted") // the length of a C string is not known
  static void check(long status) throws Throwable {
    if (status != 0) {
      var message = (MemorySegment) C.MESSAGE.invokeExact(status);
      String text = message.reinterpret(4096).getString(0);
      C.RELEASE_STATUS.invokeExact(status);
      throw new IllegalStateException(text);
    }
  }
}
