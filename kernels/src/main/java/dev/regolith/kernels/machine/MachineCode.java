package dev.regolith.kernels.machine;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Memory that executes. Code is written into pages that are then made executable and lose the right
 * to be written, as a JIT does it; they stay for the life of the JVM.
 *
 * <p>Thread-safe.
 */
@SuppressWarnings("restricted") // calling what it was given is what this class is for
public final class MachineCode {
  /** Of the JVM: {@code off} declines machine code, {@code on} is the default. */
  public static final String PROPERTY = "dev.regolith.kernels.machineCode";

  private static final int PROT_READ = 1;
  private static final int PROT_WRITE = 2;
  private static final int PROT_EXEC = 4;
  private static final int MAP_PRIVATE = 0x02;
  private static final int MAP_ANONYMOUS = 0x20;
  private static final long PAGE = 4096;

  private static final byte RET = (byte) 0xC3;

  private static final @Nullable MethodHandle MMAP;
  private static final @Nullable MethodHandle MPROTECT;
  private static final String ABSENCE;

  /** Whether there could be some, were it not for how this process was started. */
  private static final boolean IS_DENIED;

  static {
    MethodHandle mmap = null;
    MethodHandle mprotect = null;
    String absence = "";
    boolean denied = false;
    String system = System.getProperty("os.name") + " on " + System.getProperty("os.arch");
    if (!system.toLowerCase(Locale.ROOT).equals("linux on amd64")) {
      absence = "kernels in machine code are for Linux on x86-64, this is " + system;
    } else {
      try {
        mmap = link("mmap", ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
        mprotect = link("mprotect", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
        place(mmap, mprotect, new byte[] {RET});
      } catch (IllegalCallerException e) {
        denied = true;
        absence = "native access is denied; " + NativeAccess.remedy();
      } catch (RuntimeException | LinkageError e) {
        denied = true;
        absence = String.valueOf(e.getMessage());
      }
    }
    MMAP = mmap;
    MPROTECT = mprotect;
    ABSENCE = absence;
    IS_DENIED = denied;
  }

  private MachineCode() {}

  /** Whether the user wants none. */
  public static boolean isDeclined() {
    return System.getProperty(PROPERTY, "on").equals("off");
  }

  /** Why there is none; empty if there is. */
  public static String absence() {
    return ABSENCE;
  }

  /** Whether there would be some if this process had been started otherwise. */
  public static boolean isDenied() {
    return IS_DENIED;
  }

  /**
   * Code that can be called from now on.
   *
   * @return its address
   * @throws IllegalStateException if the system does not let this process have such memory
   */
  public static MemorySegment place(byte[] code) {
    if (MMAP == null || MPROTECT == null) {
      throw new IllegalStateException(ABSENCE);
    }
    return place(MMAP, MPROTECT, code);
  }

  private static MemorySegment place(MethodHandle mmap, MethodHandle mprotect, byte[] code) {
    long size = (code.length + PAGE - 1) / PAGE * PAGE;
    try {
      int writable = PROT_READ | PROT_WRITE;
      int flags = MAP_PRIVATE | MAP_ANONYMOUS;
      var pages =
          (MemorySegment) mmap.invokeExact(MemorySegment.NULL, size, writable, flags, -1, 0L);
      if (pages.address() == -1) {
        throw new IllegalStateException("the system has no memory for machine code (mmap failed)");
      }
      MemorySegment.copy(code, 0, pages.reinterpret(size), JAVA_BYTE, 0, code.length);
      int refused = (int) mprotect.invokeExact(pages, size, PROT_READ | PROT_EXEC);
      if (refused != 0) {
        throw new IllegalStateException(
            "the system does not let this process execute code it wrote (mprotect failed)");
      }
      return pages;
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /**
   * What calls a function that returns nothing: its address comes first, then its parameters. The
   * call is {@code critical}: the thread stays in the state of Java code, arrays do not move, and
   * no safepoint is reached until it returns, so it has to be one of some microseconds. Segments
   * that are passed are kept from being closed meanwhile.
   *
   * @param parameters a letter each: p for a segment, of an array or native, l for a long
   */
  public static MethodHandle caller(String parameters) {
    MemoryLayout[] layouts =
        parameters
            .chars()
            .mapToObj(letter -> letter == 'p' ? ADDRESS : JAVA_LONG)
            .toArray(MemoryLayout[]::new);
    return Linker.nativeLinker()
        .downcallHandle(FunctionDescriptor.ofVoid(layouts), Linker.Option.critical(true));
  }

  /** The same for one function. */
  public static MethodHandle caller(byte[] code, String parameters) {
    return caller(parameters).bindTo(place(code));
  }

  /**
   * Constants that code loads as whole vectors, behind each other; they stay for the life of the
   * JVM.
   *
   * @param lanes of a vector, all of which hold the same
   */
  public static MemorySegment constants(int lanes, float... constants) {
    var memory = Arena.global().allocate((long) constants.length * lanes * Float.BYTES, 64);
    for (int i = 0; i < constants.length * lanes; i++) {
      memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, constants[i / lanes]);
    }
    return memory;
  }

  /**
   * Throws what a call threw: a downcall throws nothing of its own, but a segment whose arena was
   * closed cannot be passed.
   */
  public static Error unexpected(Throwable e) {
    if (e instanceof RuntimeException closed) {
      throw closed;
    }
    return e instanceof Error error ? error : new AssertionError("a downcall throws no other", e);
  }

  private static MethodHandle link(String name, ValueLayout result, ValueLayout... parameters) {
    var linker = Linker.nativeLinker();
    var function = linker.defaultLookup().findOrThrow(name);
    return linker.downcallHandle(function, FunctionDescriptor.of(result, parameters));
  }
}
