package dev.regolith.kernels.machine;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.regolith.kernels.memory.Pages;
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

  private static final long PAGE = 4096;

  private static final byte RET = (byte) 0xC3;

  private static final @Nullable Pages PAGES;
  private static final String ABSENCE;

  /** Whether there could be some, were it not for how this process was started. */
  private static final boolean IS_DENIED;

  static {
    Pages pages = null;
    String absence = "";
    boolean denied = false;
    String system = System.getProperty("os.name") + " on " + System.getProperty("os.arch");
    if (!system.toLowerCase(Locale.ROOT).equals("linux on amd64")) {
      absence = "kernels in machine code are for Linux on x86-64, this is " + system;
    } else {
      try {
        var ofSystem = new Pages();
        place(ofSystem, new byte[] {RET});
        pages = ofSystem;
      } catch (IllegalCallerException e) {
        denied = true;
        absence = "native access is denied; " + NativeAccess.remedy();
      } catch (RuntimeException | LinkageError e) {
        denied = true;
        absence = String.valueOf(e.getMessage());
      }
    }
    PAGES = pages;
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
    if (PAGES == null) {
      throw new IllegalStateException(ABSENCE);
    }
    return place(PAGES, code);
  }

  private static MemorySegment place(Pages system, byte[] code) {
    MemorySegment pages = system.map((code.length + PAGE - 1) / PAGE * PAGE);
    if (pages.equals(MemorySegment.NULL)) {
      throw new IllegalStateException("the system has no memory for machine code (mmap failed)");
    }
    MemorySegment.copy(code, 0, pages, JAVA_BYTE, 0, code.length);
    if (!system.execute(pages)) {
      system.unmap(pages);
      throw new IllegalStateException(
          "the system does not let this process execute code it wrote (mprotect failed)");
    }
    return pages;
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
}
