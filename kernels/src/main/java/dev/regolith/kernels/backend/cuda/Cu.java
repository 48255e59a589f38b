package dev.regolith.kernels.backend.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.regolith.kernels.backend.device.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The functions of CUDA's driver API that are needed, in the system's {@code libcuda.so.1}, or what
 * {@code -Ddev.regolith.kernels.cuda.library} names. Handles, and addresses in device memory, are
 * plain longs. Those below {@link #enter} want a context that is current on their thread.
 */
@SuppressWarnings("restricted") // pinned memory is as long as it was asked for
final class Cu {
  private static final int SUCCESS = 0;
  private static final int NO_DEVICE = 100;
  private static final MemorySegment NONE = MemorySegment.NULL;

  private static final NativeLibrary LIBRARY =
      new NativeLibrary(
          "dev.regolith.kernels.cuda.library",
          "install NVIDIA's driver, if there is one of its GPUs",
          "cuDevicePrimaryCtxRelease_v2",
          System.mapLibraryName("cuda") + ".1",
          System.mapLibraryName("cuda"),
          System.mapLibraryName("nvcuda"));

  private Cu() {}

  /** Why there is no driver, and the remedy; empty if there is one. */
  static String absence() {
    return LIBRARY.absence();
  }

  /** The handles, linked when the first function is called. */
  private static final class Functions {
    static final MethodHandle INIT = LIBRARY.integer("cuInit", "i");
    static final MethodHandle ERROR_NAME = LIBRARY.integer("cuGetErrorName", "ip");
    static final MethodHandle VERSION = LIBRARY.integer("cuDriverGetVersion", "p");
    static final MethodHandle DEVICE_COUNT = LIBRARY.integer("cuDeviceGetCount", "p");
    static final MethodHandle DEVICE_GET = LIBRARY.integer("cuDeviceGet", "pi");
    static final MethodHandle DEVICE_NAME = LIBRARY.integer("cuDeviceGetName", "pii");
    static final MethodHandle DEVICE_MEMORY = LIBRARY.integer("cuDeviceTotalMem_v2", "pi");
    static final MethodHandle DEVICE_ATTRIBUTE = LIBRARY.integer("cuDeviceGetAttribute", "pii");
    static final MethodHandle RETAIN = LIBRARY.integer("cuDevicePrimaryCtxRetain", "pi");
    static final MethodHandle RELEASE = LIBRARY.integer("cuDevicePrimaryCtxRelease_v2", "i");
    static final MethodHandle PUSH = LIBRARY.integer("cuCtxPushCurrent_v2", "l");
    static final MethodHandle POP = LIBRARY.integer("cuCtxPopCurrent_v2", "p");
    static final MethodHandle STREAM_CREATE = LIBRARY.integer("cuStreamCreate", "pi");
    static final MethodHandle STREAM_WAIT = LIBRARY.integer("cuStreamSynchronize", "l");
    static final MethodHandle STREAM_DESTROY = LIBRARY.integer("cuStreamDestroy_v2", "l");
    static final MethodHandle ALLOCATE = LIBRARY.integer("cuMemAlloc_v2", "pl");
    static final MethodHandle FREE = LIBRARY.integer("cuMemFree_v2", "l");
    static final MethodHandle WRITE = LIBRARY.integer("cuMemcpyHtoDAsync_v2", "lpll");
    static final MethodHandle READ = LIBRARY.integer("cuMemcpyDtoHAsync_v2", "plll");
    static final MethodHandle PIN = LIBRARY.integer("cuMemHostAlloc", "pli");
    static final MethodHandle UNPIN = LIBRARY.integer("cuMemFreeHost", "l");
    static final MethodHandle EVENT_CREATE = LIBRARY.integer("cuEventCreate", "pi");
    static final MethodHandle EVENT_RECORD = LIBRARY.integer("cuEventRecord", "ll");
    static final MethodHandle EVENT_WAIT = LIBRARY.integer("cuEventSynchronize", "l");
    static final MethodHandle EVENT_DESTROY = LIBRARY.integer("cuEventDestroy_v2", "l");
    static final MethodHandle MODULE_LOAD = LIBRARY.integer("cuModuleLoadData", "pp");
    static final MethodHandle MODULE_UNLOAD = LIBRARY.integer("cuModuleUnload", "l");
    static final MethodHandle MODULE_FUNCTION = LIBRARY.integer("cuModuleGetFunction", "plp");
    static final MethodHandle LAUNCH = LIBRARY.integer("cuLaunchKernel", "liiiiiiilpp");

    private Functions() {}
  }

  private static void command(String name, NativeLibrary.Call call) {
    int code = NativeLibrary.code(call);
    if (code != SUCCESS) {
      throw CudaException.ofDriver(name, code, errorName(code));
    }
  }

  private static String errorName(int code) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment text = arena.allocate(ADDRESS);
      int unknown = NativeLibrary.code(() -> (int) Functions.ERROR_NAME.invokeExact(code, text));
      return unknown == SUCCESS ? NativeLibrary.text(text.get(ADDRESS, 0)) : "CUDA error";
    }
  }

  /** A call that fills memory with one value. */
  @FunctionalInterface
  private interface Question {
    int ask(Arena arena, MemorySegment answer) throws Throwable;
  }

  private static long ask(String name, Question question) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment answer = arena.allocate(JAVA_LONG);
      command(name, () -> question.ask(arena, answer));
      return answer.get(JAVA_LONG, 0);
    }
  }

  // ----------------------------------------------------------------------------------- devices

  /** Starts the driver; how many devices there are. */
  static int start() {
    int code = NativeLibrary.code(() -> (int) Functions.INIT.invokeExact(0));
    if (code == NO_DEVICE) {
      return 0;
    }
    command("cuInit", () -> code);
    return (int) ask("cuDeviceGetCount", (_, n) -> (int) Functions.DEVICE_COUNT.invokeExact(n));
  }

  /** The version of CUDA that the driver is for: a thousand times the major, ten the minor. */
  static int version() {
    return (int) ask("cuDriverGetVersion", (_, v) -> (int) Functions.VERSION.invokeExact(v));
  }

  static int device(int number) {
    return (int)
        ask("cuDeviceGet", (_, device) -> (int) Functions.DEVICE_GET.invokeExact(device, number));
  }

  static String deviceName(int device) {
    int most = 256;
    try (var arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocate(most);
      command("cuDeviceGetName", () -> (int) Functions.DEVICE_NAME.invokeExact(name, most, device));
      return name.getString(0).strip();
    }
  }

  static long deviceMemory(int device) {
    return ask(
        "cuDeviceTotalMem", (_, bytes) -> (int) Functions.DEVICE_MEMORY.invokeExact(bytes, device));
  }

  /** A {@code CUdevice_attribute} by its number. */
  static int attribute(int device, int number) {
    return (int)
        ask(
            "cuDeviceGetAttribute",
            (_, value) -> (int) Functions.DEVICE_ATTRIBUTE.invokeExact(value, number, device));
  }

  // ----------------------------------------------------------------------------------- contexts

  /** The device's own context, which everybody in this process shares. */
  static long retainContext(int device) {
    return ask(
        "cuDevicePrimaryCtxRetain",
        (_, context) -> (int) Functions.RETAIN.invokeExact(context, device));
  }

  static void releaseContext(int device) {
    command("cuDevicePrimaryCtxRelease", () -> (int) Functions.RELEASE.invokeExact(device));
  }

  /** Makes a context current on this thread, until {@link #leave}. */
  static void enter(long context) {
    command("cuCtxPushCurrent", () -> (int) Functions.PUSH.invokeExact(context));
  }

  /**
   * Makes the one current that was before. Should that fail, the next call says so, and what went
   * wrong before is not hidden.
   */
  static void leave() {
    try (var arena = Arena.ofConfined()) {
      MemorySegment context = arena.allocate(JAVA_LONG);
      int _ = NativeLibrary.code(() -> (int) Functions.POP.invokeExact(context));
    }
  }

  // ----------------------------------------------------------------------------------- objects

  /** A stream that does not wait for those of others. */
  static long createStream() {
    int nonBlocking = 1;
    return ask(
        "cuStreamCreate",
        (_, stream) -> (int) Functions.STREAM_CREATE.invokeExact(stream, nonBlocking));
  }

  static void destroyStream(long stream) {
    command("cuStreamDestroy", () -> (int) Functions.STREAM_DESTROY.invokeExact(stream));
  }

  /** Waits until everything enqueued is done. */
  static void synchronize(long stream) {
    command("cuStreamSynchronize", () -> (int) Functions.STREAM_WAIT.invokeExact(stream));
  }

  static long allocate(long bytes) {
    return ask("cuMemAlloc", (_, address) -> (int) Functions.ALLOCATE.invokeExact(address, bytes));
  }

  static void free(long address) {
    command("cuMemFree", () -> (int) Functions.FREE.invokeExact(address));
  }

  /** Host memory that stays where it is, so that the device can read and write it. */
  static long allocatePinned(long bytes) {
    return ask(
        "cuMemHostAlloc", (_, address) -> (int) Functions.PIN.invokeExact(address, bytes, 0));
  }

  static void freePinned(long address) {
    command("cuMemFreeHost", () -> (int) Functions.UNPIN.invokeExact(address));
  }

  /** Pinned memory as a segment that lives as long as an arena. */
  static MemorySegment pinned(long address, long bytes, Arena arena) {
    return MemorySegment.ofAddress(address).reinterpret(bytes, arena, null);
  }

  /** An event without a clock. */
  static long createEvent() {
    int disableTiming = 2;
    return ask(
        "cuEventCreate",
        (_, event) -> (int) Functions.EVENT_CREATE.invokeExact(event, disableTiming));
  }

  static void destroyEvent(long event) {
    command("cuEventDestroy", () -> (int) Functions.EVENT_DESTROY.invokeExact(event));
  }

  /** Has an event happen when everything is done that is enqueued now. */
  static void record(long event, long stream) {
    command("cuEventRecord", () -> (int) Functions.EVENT_RECORD.invokeExact(event, stream));
  }

  /** Waits for an event. */
  static void await(long event) {
    command("cuEventSynchronize", () -> (int) Functions.EVENT_WAIT.invokeExact(event));
  }

  /** Loads what was compiled: machine code, or PTX, behind which the driver wants a zero. */
  static long loadModule(byte[] image) {
    return ask(
        "cuModuleLoadData",
        (arena, module) ->
            (int) Functions.MODULE_LOAD.invokeExact(module, zeroTerminated(arena, image)));
  }

  private static MemorySegment zeroTerminated(Arena arena, byte[] image) {
    MemorySegment memory = arena.allocate(image.length + 1L, 64);
    MemorySegment.copy(image, 0, memory, JAVA_BYTE, 0, image.length);
    return memory;
  }

  static void unloadModule(long module) {
    command("cuModuleUnload", () -> (int) Functions.MODULE_UNLOAD.invokeExact(module));
  }

  static long function(long module, String name) {
    return ask(
        "cuModuleGetFunction",
        (arena, function) ->
            (int)
                Functions.MODULE_FUNCTION.invokeExact(function, module, arena.allocateFrom(name)));
  }

  // ---------------------------------------------------------------------------------- commands

  /** Copies host memory to an address of the device. */
  static void write(long stream, long address, MemorySegment from) {
    command(
        "cuMemcpyHtoDAsync",
        () -> (int) Functions.WRITE.invokeExact(address, from, from.byteSize(), stream));
  }

  /** Copies from an address of the device into host memory. */
  static void read(long stream, long address, MemorySegment to) {
    command(
        "cuMemcpyDtoHAsync",
        () -> (int) Functions.READ.invokeExact(to, address, to.byteSize(), stream));
  }

  /**
   * Enqueues a kernel.
   *
   * @param arguments addresses of the arguments
   */
  static void launch(
      long stream, long function, int across, int down, int items, MemorySegment arguments) {
    command(
        "cuLaunchKernel",
        () ->
            (int)
                Functions.LAUNCH.invokeExact(
                    function, across, down, 1, items, 1, 1, 0, stream, arguments, NONE));
  }
}
