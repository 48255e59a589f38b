package dev.regolith.kernels;

import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/**
 * Counts the bytes that calls allocate in the steady state, on the calling thread and on the
 * session's workers, and prints one line per case: {@code name: bytes}. Warms up by count.
 */
final class AllocationWorkout {
  private static final int CALLS = 200;
  private static final int ROUNDS = 40;
  private static final int QUIET_ROUNDS = 5;

  /** {@code com.sun.management.ThreadMXBean.getThreadAllocatedBytes(long)}: not in our graph. */
  private static final MethodHandle ALLOCATED = allocated();

  interface Call {
    void run();
  }

  /** Cases to measure in a session. */
  interface Cases {
    void run(Session session, Arena arena) throws Throwable;
  }

  private AllocationWorkout() {}

  public static void main(String[] arguments) throws Throwable {
    for (int threads = 1; threads <= 2; threads++) {
      int count = threads;
      try (var session = Regolith.open(o -> o.threads(count));
          var arena = Arena.ofShared()) {
        for (int depth : new int[] {64, 600}) {
          cases(session, arena, depth);
        }
      }
    }
  }

  private static void cases(Session session, Arena arena, int depth) throws Throwable {
    int rows = 50;
    int columns = 200;
    var a = Tensor.zeros(arena, DType.FLOAT32, rows, depth);
    var b = Tensor.zeros(arena, DType.FLOAT32, depth, columns);
    var c = Tensor.zeros(arena, DType.FLOAT32, rows, columns);
    var packed = session.pack(b.transposed()).transposed();
    var sealed = Tensor.zeros(arena, DType.FLOAT32, rows, depth);
    session.seal(sealed);
    var strided = Tensor.zeros(arena, DType.FLOAT32, depth, rows).transposed();
    var plain = Tensor.wrap(arena.allocate(4L * rows * columns, 64), DType.FLOAT32, rows, columns);
    String title = session.threads() + " thread(s), K = " + depth + ", ";
    measure(title + "packed", () -> session.gemm(a, packed, c));
    measure(title + "fresh", () -> session.gemm(a, b, c));
    measure(title + "packed, alpha and beta", () -> session.gemm(2, a, packed, 0.5f, c));
    measure(title + "fresh, alpha and beta", () -> session.gemm(2, a, b, 0.5f, c));
    measure(title + "packed, sealed input", () -> session.gemm(sealed, packed, c));
    measure(title + "fresh, sealed input, beta", () -> session.gemm(1, sealed, b, 1, c));
    measure(title + "packed, transposed input", () -> session.gemm(strided, packed, c));
    var sealedB = Tensor.zeros(arena, DType.FLOAT32, depth, columns);
    session.seal(sealedB);
    var row = Tensor.zeros(arena, DType.FLOAT32, 1, depth);
    var rowOfC = Tensor.zeros(arena, DType.FLOAT32, 1, columns);
    measure(title + "a row, both sealed", () -> session.gemm(row, sealedB, rowOfC));
    measure(title + "packed, output never sealed", () -> session.gemm(a, packed, plain));
    var half = Tensor.zeros(arena, DType.BFLOAT16, rows, depth);
    var halfB = Tensor.zeros(arena, DType.FLOAT16, columns, depth).transposed();
    var halfC = Tensor.zeros(arena, DType.BFLOAT16, rows, columns);
    measure(title + "packed, 16 bits", () -> session.gemm(half, packed, halfC));
    measure(title + "fresh, 16 bits, beta", () -> session.gemm(1, half, halfB, 1, halfC));
    var row16 = Tensor.zeros(arena, DType.FLOAT16, 1, depth);
    var rowOfC16 = Tensor.zeros(arena, DType.FLOAT16, 1, columns);
    measure(
        title + "packed, 16 bits, shapes in turn",
        () -> {
          session.gemm(half, packed, halfC);
          session.gemm(row16, packed, rowOfC16);
        });
  }

  /** Cases on one thread and on two, with protection and without. */
  static void inEverySession(Cases cases) throws Throwable {
    for (int threads = 1; threads <= 2; threads++) {
      int count = threads;
      for (Protection protection : new Protection[] {Protection.CORRECT, Protection.OFF}) {
        try (var session = Regolith.open(o -> o.threads(count).protection(protection));
            var arena = Arena.ofShared()) {
          cases.run(session, arena);
        }
      }
    }
  }

  /** Rounds of calls until several in a row allocate nothing, or there were too many. */
  static void measure(String name, Call call) throws Throwable {
    long bytes = 0;
    int quiet = 0;
    for (int round = 0; round < ROUNDS && quiet < QUIET_ROUNDS; round++) {
      bytes = round(call);
      quiet = bytes == 0 ? quiet + 1 : 0;
    }
    System.out.println(name + ": " + (quiet == QUIET_ROUNDS ? 0 : bytes));
  }

  private static long round(Call call) throws Throwable {
    long[] workers = workers();
    long own = Thread.currentThread().threadId();
    long before = bytes(workers);
    long ownBefore = (long) ALLOCATED.invokeExact(own);
    for (int i = 0; i < CALLS; i++) {
      call.run();
    }
    long ownAfter = (long) ALLOCATED.invokeExact(own);
    return ownAfter - ownBefore + bytes(workers) - before;
  }

  private static long bytes(long[] threads) throws Throwable {
    long sum = 0;
    for (long thread : threads) {
      sum += (long) ALLOCATED.invokeExact(thread);
    }
    return sum;
  }

  private static long[] workers() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("regolith-worker"))
        .mapToLong(Thread::threadId)
        .toArray();
  }

  private static MethodHandle allocated() {
    try {
      var lookup = MethodHandles.lookup();
      var factory = Class.forName("java.lang.management.ManagementFactory");
      var general = Class.forName("java.lang.management.ThreadMXBean");
      var bean =
          (Object)
              lookup
                  .findStatic(factory, "getThreadMXBean", MethodType.methodType(general))
                  .invoke();
      var special = Class.forName("com.sun.management.ThreadMXBean");
      return lookup
          .findVirtual(
              special, "getThreadAllocatedBytes", MethodType.methodType(long.class, long.class))
          .bindTo(bean);
    } catch (Throwable failure) {
      throw new LinkageError("this JVM does not count what threads allocate", failure);
    }
  }
}
