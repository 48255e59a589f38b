package dev.regolith.kernels.backend.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.regolith.kernels.backend.device.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * NVRTC, which compiles CUDA C++ at run time: the system's {@code libnvrtc.so}, of CUDA 11 to 13,
 * or what {@code -Ddev.regolith.kernels.nvrtc.library} names.
 */
final class Nvrtc {
  private static final int SUCCESS = 0;
  private static final MemorySegment NONE = MemorySegment.NULL;

  private static final NativeLibrary LIBRARY =
      new NativeLibrary(
          "dev.regolith.kernels.nvrtc.library",
          "install NVIDIA's NVRTC (a part of the CUDA toolkit), or name its file with"
              + " -Ddev.regolith.kernels.nvrtc.library",
          "nvrtcGetSupportedArchs",
          System.mapLibraryName("nvrtc"),
          System.mapLibraryName("nvrtc") + ".13",
          System.mapLibraryName("nvrtc") + ".12",
          System.mapLibraryName("nvrtc") + ".11.2");

  private Nvrtc() {}

  /** Why there is no compiler, and the remedy; empty if there is one. */
  static String absence() {
    return LIBRARY.absence();
  }

  /** Of the compiler, as in 13.0. */
  static String version() {
    try (var arena = Arena.ofConfined()) {
      MemorySegment numbers = arena.allocate(JAVA_INT, 2);
      command(
          "nvrtcVersion",
          () -> (int) Functions.VERSION.invokeExact(numbers, numbers.asSlice(Integer.BYTES)));
      return numbers.get(JAVA_INT, 0) + "." + numbers.getAtIndex(JAVA_INT, 1);
    }
  }

  /** The handles, linked when the first function is called. */
  private static final class Functions {
    static final MethodHandle VERSION = LIBRARY.integer("nvrtcVersion", "pp");
    static final MethodHandle ERROR_STRING = LIBRARY.object("nvrtcGetErrorString", "i");
    static final MethodHandle ARCHITECTURE_COUNT =
        LIBRARY.integer("nvrtcGetNumSupportedArchs", "p");
    static final MethodHandle ARCHITECTURES = LIBRARY.integer("nvrtcGetSupportedArchs", "p");
    static final MethodHandle CREATE = LIBRARY.integer("nvrtcCreateProgram", "pppipp");
    static final MethodHandle DESTROY = LIBRARY.integer("nvrtcDestroyProgram", "p");
    static final MethodHandle COMPILE = LIBRARY.integer("nvrtcCompileProgram", "lip");
    static final MethodHandle LOG_SIZE = LIBRARY.integer("nvrtcGetProgramLogSize", "lp");
    static final MethodHandle LOG = LIBRARY.integer("nvrtcGetProgramLog", "lp");
    static final MethodHandle CODE_SIZE = LIBRARY.integer("nvrtcGetCUBINSize", "lp");
    static final MethodHandle CODE = LIBRARY.integer("nvrtcGetCUBIN", "lp");
    static final MethodHandle PTX_SIZE = LIBRARY.integer("nvrtcGetPTXSize", "lp");
    static final MethodHandle PTX = LIBRARY.integer("nvrtcGetPTX", "lp");

    private Functions() {}
  }

  private static void command(String name, NativeLibrary.Call call) {
    int code = NativeLibrary.code(call);
    if (code != SUCCESS) {
      throw CudaException.ofCompiler(name, code, errorString(code), "");
    }
  }

  private static String errorString(int code) {
    var address = new long[1];
    int _ =
        NativeLibrary.code(() -> {
          address[0] = (long) Functions.ERROR_STRING.invokeExact(code);
          return SUCCESS;
        });
    return address[0] == 0 ? "an error" : NativeLibrary.text(MemorySegment.ofAddress(address[0]));
  }

  /** Fills memory with what a program has. */
  @FunctionalInterface
  private interface Question {
    int ask(MemorySegment answer) throws Throwable;
  }

  private static byte[] bytes(Arena arena, String name, Question size, Question contents) {
    MemorySegment length = arena.allocate(JAVA_LONG);
    command(name + "Size", () -> size.ask(length));
    MemorySegment memory = arena.allocate(Math.max(1, length.get(JAVA_LONG, 0)));
    command(name, () -> contents.ask(memory));
    return memory.asSlice(0, length.get(JAVA_LONG, 0)).toArray(JAVA_BYTE);
  }

  /**
   * Compiles for a device of a compute capability, ten times the major and one the minor: to
   * machine code, or, if the device is newer than the compiler, to PTX that the driver translates.
   *
   * @param options as its command line has them
   */
  static byte[] compile(String source, int capability, String... options) {
    try (var arena = Arena.ofConfined()) {
      int target = target(arena, capability);
      MemorySegment handle = arena.allocate(JAVA_LONG);
      command(
          "nvrtcCreateProgram",
          () ->
              (int)
                  Functions.CREATE.invokeExact(
                      handle,
                      arena.allocateFrom(source),
                      arena.allocateFrom("regolith.cu"),
                      0,
                      NONE,
                      NONE));
      try {
        return compile(arena, handle.get(JAVA_LONG, 0), target == capability, target, options);
      } finally {
        // What it says of that is nobody's concern, and would hide what went wrong before.
        int _ = NativeLibrary.code(() -> (int) Functions.DESTROY.invokeExact(handle));
      }
    }
  }

  private static byte[] compile(
      Arena arena, long program, boolean exact, int target, String... options) {
    var all = Arrays.copyOf(options, options.length + 1);
    all[options.length] = "--gpu-architecture=%s_%d".formatted(exact ? "sm" : "compute", target);
    MemorySegment words = arena.allocate(ADDRESS, all.length);
    for (int i = 0; i < all.length; i++) {
      words.setAtIndex(ADDRESS, i, arena.allocateFrom(all[i]));
    }
    int code =
        NativeLibrary.code(() -> (int) Functions.COMPILE.invokeExact(program, all.length, words));
    if (code != SUCCESS) {
      byte[] log = // with a zero behind
          bytes(
              arena,
              "nvrtcGetProgramLog",
              size -> (int) Functions.LOG_SIZE.invokeExact(program, size),
              text -> (int) Functions.LOG.invokeExact(program, text));
      throw CudaException.ofCompiler(
          "nvrtcCompileProgram",
          code,
          errorString(code),
          "\n" + new String(log, 0, log.length - 1, StandardCharsets.UTF_8).strip());
    }
    return exact
        ? bytes(
            arena,
            "nvrtcGetCUBIN",
            size -> (int) Functions.CODE_SIZE.invokeExact(program, size),
            image -> (int) Functions.CODE.invokeExact(program, image))
        : bytes(
            arena,
            "nvrtcGetPTX",
            size -> (int) Functions.PTX_SIZE.invokeExact(program, size),
            image -> (int) Functions.PTX.invokeExact(program, image));
  }

  /** The newest architecture that the compiler knows and a device has. */
  private static int target(Arena arena, int capability) {
    MemorySegment count = arena.allocate(JAVA_INT);
    command(
        "nvrtcGetNumSupportedArchs", () -> (int) Functions.ARCHITECTURE_COUNT.invokeExact(count));
    int n = count.get(JAVA_INT, 0);
    MemorySegment known = arena.allocate(JAVA_INT, Math.max(1, n));
    command("nvrtcGetSupportedArchs", () -> (int) Functions.ARCHITECTURES.invokeExact(known));
    return Arrays.stream(known.asSlice(0, 4L * n).toArray(JAVA_INT))
        .filter(each -> each <= capability)
        .max()
        .orElseThrow(() -> CudaException.tooNew(version(), capability));
  }
}
