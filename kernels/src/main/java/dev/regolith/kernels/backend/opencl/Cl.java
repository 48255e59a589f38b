package dev.regolith.kernels.backend.opencl;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.regolith.kernels.backend.device.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The functions of OpenCL 1.2 that are needed, in the system's loader ({@code libOpenCL.so.1}, or
 * what {@code -Ddev.regolith.kernels.opencl.library} names). Handles of OpenCL objects are plain
 * longs. Thread-safe, as the standard says of all but {@link #setArgument}.
 *
 * <p>Nothing here is {@code critical}: a driver may block for as long as it likes.
 */
final class Cl {
  private static final int SUCCESS = 0;
  private static final int DEVICE_NOT_FOUND = -1;
  private static final int PLATFORM_NOT_FOUND = -1001;
  private static final int TRUE = 1;
  private static final MemorySegment NONE = MemorySegment.NULL;

  private static final NativeLibrary LIBRARY =
      new NativeLibrary(
          "dev.regolith.kernels.opencl.library",
          "install a device's driver, or pocl-opencl-icd, which computes on any CPU",
          "clEnqueueReadBufferRect",
          System.mapLibraryName("OpenCL"),
          // Without development packages a system has only the versioned name.
          System.mapLibraryName("OpenCL") + ".1");

  private Cl() {}

  /** Why there is no loader, and the remedy; empty if there is one. */
  static String absence() {
    return LIBRARY.absence();
  }

  /** The handles, linked when the first function is called. */
  private static final class Functions {
    static final MethodHandle GET_PLATFORM_IDS = LIBRARY.integer("clGetPlatformIDs", "ipp");
    static final MethodHandle GET_PLATFORM_INFO = LIBRARY.integer("clGetPlatformInfo", "lilpp");
    static final MethodHandle GET_DEVICE_IDS = LIBRARY.integer("clGetDeviceIDs", "llipp");
    static final MethodHandle GET_DEVICE_INFO = LIBRARY.integer("clGetDeviceInfo", "lilpp");
    static final MethodHandle CREATE_CONTEXT = LIBRARY.object("clCreateContext", "pipppp");
    static final MethodHandle CREATE_QUEUE = LIBRARY.object("clCreateCommandQueue", "lllp");
    static final MethodHandle CREATE_BUFFER = LIBRARY.object("clCreateBuffer", "lllpp");
    static final MethodHandle WITH_SOURCE = LIBRARY.object("clCreateProgramWithSource", "lippp");
    static final MethodHandle WITH_BINARY = LIBRARY.object("clCreateProgramWithBinary", "lippppp");
    static final MethodHandle BUILD = LIBRARY.integer("clBuildProgram", "lipppp");
    static final MethodHandle BUILD_INFO = LIBRARY.integer("clGetProgramBuildInfo", "llilpp");
    static final MethodHandle PROGRAM_INFO = LIBRARY.integer("clGetProgramInfo", "lilpp");
    static final MethodHandle CREATE_KERNEL = LIBRARY.object("clCreateKernel", "lpp");
    static final MethodHandle SET_ARGUMENT = LIBRARY.integer("clSetKernelArg", "lilp");
    static final MethodHandle RANGE = LIBRARY.integer("clEnqueueNDRangeKernel", "llipppipp");
    static final MethodHandle WRITE = LIBRARY.integer("clEnqueueWriteBuffer", "llillpipp");
    static final MethodHandle READ = LIBRARY.integer("clEnqueueReadBuffer", "llillpipp");
    static final MethodHandle WRITE_RECT =
        LIBRARY.integer("clEnqueueWriteBufferRect", "llipppllllpipp");
    static final MethodHandle READ_RECT =
        LIBRARY.integer("clEnqueueReadBufferRect", "llipppllllpipp");
    static final MethodHandle FINISH = LIBRARY.integer("clFinish", "l");
    static final MethodHandle RELEASE_CONTEXT = LIBRARY.integer("clReleaseContext", "l");
    static final MethodHandle RELEASE_QUEUE = LIBRARY.integer("clReleaseCommandQueue", "l");
    static final MethodHandle RELEASE_MEMORY = LIBRARY.integer("clReleaseMemObject", "l");
    static final MethodHandle RELEASE_PROGRAM = LIBRARY.integer("clReleaseProgram", "l");
    static final MethodHandle RELEASE_KERNEL = LIBRARY.integer("clReleaseKernel", "l");

    private Functions() {}
  }

  // ------------------------------------------------------------------------ forms of a call

  /** A call that returns an object, and its error code in memory. */
  @FunctionalInterface
  private interface Maker {
    long make(Arena arena, MemorySegment error) throws Throwable;
  }

  /** A call that fills memory: so many values, or bytes. */
  @FunctionalInterface
  private interface Question {
    int ask(long size, MemorySegment value, MemorySegment sizeNeeded) throws Throwable;
  }

  private static void command(String name, NativeLibrary.Call call) {
    int code = NativeLibrary.code(call);
    if (code != SUCCESS) {
      throw new ClException(name, code);
    }
  }

  private static long make(String name, Maker maker) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment error = arena.allocate(JAVA_INT);
      var handle = new long[1];
      int _ =
          NativeLibrary.code(() -> {
            handle[0] = maker.make(arena, error);
            return SUCCESS;
          });
      int code = error.get(JAVA_INT, 0);
      if (code != SUCCESS) {
        throw new ClException(name, code);
      }
      return handle[0];
    }
  }

  private static byte[] answer(String name, Question question) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment size = arena.allocate(JAVA_LONG);
      command(name, () -> question.ask(0, NONE, size));
      long bytes = size.get(JAVA_LONG, 0);
      MemorySegment value = arena.allocate(Math.max(1, bytes), 8);
      command(name, () -> question.ask(bytes, value, NONE));
      return value.asSlice(0, bytes).toArray(JAVA_BYTE);
    }
  }

  /** Handles of a list; {@code none} is the code that says there are none. */
  private static long[] list(String name, int none, Question question) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment count = arena.allocate(JAVA_INT);
      int code = NativeLibrary.code(() -> question.ask(0, NONE, count));
      if (code == none) {
        return new long[0];
      }
      if (code != SUCCESS) {
        throw new ClException(name, code);
      }
      int n = count.get(JAVA_INT, 0);
      MemorySegment handles = arena.allocate(JAVA_LONG, Math.max(1, n));
      command(name, () -> question.ask(n, handles, NONE));
      return handles.asSlice(0, 8L * n).toArray(JAVA_LONG);
    }
  }

  // ------------------------------------------------------------------------ platforms, devices

  /** All platforms; none if there is no driver. */
  static long[] platforms() {
    return list(
        "clGetPlatformIDs",
        PLATFORM_NOT_FOUND,
        (n, ids, count) -> (int) Functions.GET_PLATFORM_IDS.invokeExact((int) n, ids, count));
  }

  /** A platform's devices, of all types. */
  static long[] devices(long platform) {
    long all = 0xFFFFFFFFL;
    return list(
        "clGetDeviceIDs",
        DEVICE_NOT_FOUND,
        (n, ids, count) ->
            (int) Functions.GET_DEVICE_IDS.invokeExact(platform, all, (int) n, ids, count));
  }

  /** What a platform says of itself. */
  static byte[] platformInfo(long platform, int name) {
    return answer(
        "clGetPlatformInfo",
        (size, value, needed) ->
            (int) Functions.GET_PLATFORM_INFO.invokeExact(platform, name, size, value, needed));
  }

  /** What a device says of itself. */
  static byte[] deviceInfo(long device, int name) {
    return answer(
        "clGetDeviceInfo",
        (size, value, needed) ->
            (int) Functions.GET_DEVICE_INFO.invokeExact(device, name, size, value, needed));
  }

  // ---------------------------------------------------------------------------------- objects

  /** A context of one device. */
  static long createContext(long device) {
    return make(
        "clCreateContext",
        (arena, error) ->
            (long)
                Functions.CREATE_CONTEXT.invokeExact(
                    NONE, 1, arena.allocateFrom(JAVA_LONG, device), NONE, NONE, error));
  }

  /** A queue whose commands run in order. */
  static long createQueue(long context, long device) {
    return make(
        "clCreateCommandQueue",
        (_, error) -> (long) Functions.CREATE_QUEUE.invokeExact(context, device, 0L, error));
  }

  /** A buffer that kernels read and write. */
  static long createBuffer(long context, long bytes) {
    long readWrite = 1;
    return make(
        "clCreateBuffer",
        (_, error) ->
            (long) Functions.CREATE_BUFFER.invokeExact(context, readWrite, bytes, NONE, error));
  }

  static long createProgram(long context, String source) {
    return make(
        "clCreateProgramWithSource",
        (arena, error) ->
            (long)
                Functions.WITH_SOURCE.invokeExact(
                    context,
                    1,
                    arena.allocateFrom(ADDRESS, arena.allocateFrom(source)),
                    NONE,
                    error));
  }

  static long createProgram(long context, long device, byte[] binary) {
    return make(
        "clCreateProgramWithBinary",
        (arena, error) ->
            (long)
                Functions.WITH_BINARY.invokeExact(
                    context,
                    1,
                    arena.allocateFrom(JAVA_LONG, device),
                    arena.allocateFrom(JAVA_LONG, binary.length),
                    arena.allocateFrom(ADDRESS, arena.allocateFrom(JAVA_BYTE, binary)),
                    NONE,
                    error));
  }

  /** Compiles and links; the compiler's words are in the exception. */
  static void build(long program, long device, String options) {
    int buildLog = 0x1183;
    try (var arena = Arena.ofConfined()) {
      MemorySegment devices = arena.allocateFrom(JAVA_LONG, device);
      MemorySegment words = arena.allocateFrom(options);
      int code =
          NativeLibrary.code(
              () -> (int) Functions.BUILD.invokeExact(program, 1, devices, words, NONE, NONE));
      if (code != SUCCESS) {
        byte[] log =
            answer(
                "clGetProgramBuildInfo",
                (size, value, needed) ->
                    (int)
                        Functions.BUILD_INFO.invokeExact(
                            program, device, buildLog, size, value, needed));
        throw new ClException("clBuildProgram", code, "\n" + ClDevice.text(log));
      }
    }
  }

  /** What a program for one device was compiled to; empty if the driver does not say. */
  static byte[] binary(long program) {
    int binarySizes = 0x1165;
    int binaries = 0x1166;
    try (var arena = Arena.ofConfined()) {
      MemorySegment size = arena.allocate(JAVA_LONG);
      command(
          "clGetProgramInfo",
          () -> (int) Functions.PROGRAM_INFO.invokeExact(program, binarySizes, 8L, size, NONE));
      MemorySegment bytes = arena.allocate(Math.max(1, size.get(JAVA_LONG, 0)));
      MemorySegment pointer = arena.allocateFrom(ADDRESS, bytes);
      command(
          "clGetProgramInfo",
          () -> (int) Functions.PROGRAM_INFO.invokeExact(program, binaries, 8L, pointer, NONE));
      return bytes.asSlice(0, size.get(JAVA_LONG, 0)).toArray(JAVA_BYTE);
    }
  }

  static long createKernel(long program, String name) {
    return make(
        "clCreateKernel",
        (arena, error) ->
            (long) Functions.CREATE_KERNEL.invokeExact(program, arena.allocateFrom(name), error));
  }

  /** Sets an argument of a kernel, which one thread at a time may do. */
  static void setArgument(long kernel, int index, long bytes, MemorySegment value) {
    command(
        "clSetKernelArg",
        () -> (int) Functions.SET_ARGUMENT.invokeExact(kernel, index, bytes, value));
  }

  static void releaseContext(long handle) {
    command("clReleaseContext", () -> (int) Functions.RELEASE_CONTEXT.invokeExact(handle));
  }

  static void releaseQueue(long handle) {
    command("clReleaseCommandQueue", () -> (int) Functions.RELEASE_QUEUE.invokeExact(handle));
  }

  static void releaseBuffer(long handle) {
    command("clReleaseMemObject", () -> (int) Functions.RELEASE_MEMORY.invokeExact(handle));
  }

  static void releaseProgram(long handle) {
    command("clReleaseProgram", () -> (int) Functions.RELEASE_PROGRAM.invokeExact(handle));
  }

  static void releaseKernel(long handle) {
    command("clReleaseKernel", () -> (int) Functions.RELEASE_KERNEL.invokeExact(handle));
  }

  // --------------------------------------------------------------------------------- commands

  /** Runs a kernel over so many work-items, in groups along the first dimension. */
  static void run(long queue, long kernel, long x, long y, long group) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment global = arena.allocateFrom(JAVA_LONG, x, y);
      MemorySegment local = arena.allocateFrom(JAVA_LONG, group, 1);
      command(
          "clEnqueueNDRangeKernel",
          () ->
              (int)
                  Functions.RANGE.invokeExact(
                      queue, kernel, 2, NONE, global, local, 0, NONE, NONE));
    }
  }

  /** Copies host memory into a buffer, and returns when it has been read. */
  static void write(long queue, long buffer, long offset, MemorySegment from) {
    command(
        "clEnqueueWriteBuffer",
        () ->
            (int)
                Functions.WRITE.invokeExact(
                    queue, buffer, TRUE, offset, from.byteSize(), from, 0, NONE, NONE));
  }

  /** Copies a buffer into host memory, and returns when that is done. */
  static void read(long queue, long buffer, long offset, MemorySegment to) {
    command(
        "clEnqueueReadBuffer",
        () ->
            (int)
                Functions.READ.invokeExact(
                    queue, buffer, TRUE, offset, to.byteSize(), to, 0, NONE, NONE));
  }

  /**
   * Copies rows of host memory, {@code stride} bytes apart, to the start of a buffer, one behind
   * the other, and returns when they have been read.
   */
  static void writeRows(
      long queue, long buffer, long rows, long rowBytes, long stride, MemorySegment from) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment origin = arena.allocate(JAVA_LONG, 3);
      MemorySegment size = arena.allocateFrom(JAVA_LONG, rowBytes, rows, 1);
      command(
          "clEnqueueWriteBufferRect",
          () ->
              (int)
                  Functions.WRITE_RECT.invokeExact(
                      queue, buffer, TRUE, origin, origin, size, rowBytes, 0L, stride, 0L, from, 0,
                      NONE, NONE));
    }
  }

  /** Copies rows from the start of a buffer into host memory; see {@link #writeRows}. */
  static void readRows(
      long queue, long buffer, long rows, long rowBytes, long stride, MemorySegment to) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment origin = arena.allocate(JAVA_LONG, 3);
      MemorySegment size = arena.allocateFrom(JAVA_LONG, rowBytes, rows, 1);
      command(
          "clEnqueueReadBufferRect",
          () ->
              (int)
                  Functions.READ_RECT.invokeExact(
                      queue, buffer, TRUE, origin, origin, size, rowBytes, 0L, stride, 0L, to, 0,
                      NONE, NONE));
    }
  }

  /** Waits until everything enqueued is done. */
  static void finish(long queue) {
    command("clFinish", () -> (int) Functions.FINISH.invokeExact(queue));
  }
}
