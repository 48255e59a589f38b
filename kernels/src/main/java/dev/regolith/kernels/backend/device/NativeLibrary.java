package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.machine.NativeAccess;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/**
 * A library of the system whose functions return an error code or an object, looked for under
 * several names. Nothing is linked {@code critical}: a driver may block for as long as it likes.
 */
@SuppressWarnings("restricted") // binding to native libraries is what this class is for
public final class NativeLibrary {
  private static final Linker LINKER = Linker.nativeLinker();

  private final @Nullable SymbolLookup symbols;
  private final String absence;

  /**
   * Looks for a library.
   *
   * @param property of the JVM that names it, if it is not to be found by itself
   * @param remedy what to do where there is none
   * @param youngest of the functions that are needed; a library without it is too old
   * @param names under which it may be known
   */
  public NativeLibrary(String property, String remedy, String youngest, String... names) {
    String named = System.getProperty(property);
    String[] candidates = named == null ? names : new String[] {named};
    SymbolLookup found = null;
    String trouble = "";
    for (int i = 0; i < candidates.length && found == null; i++) {
      try {
        SymbolLookup library = SymbolLookup.libraryLookup(candidates[i], Arena.global());
        if (library.find(youngest).isPresent()) {
          found = library;
        } else {
          trouble = "%s is too old, it lacks %s; update it".formatted(candidates[i], youngest);
        }
      } catch (IllegalCallerException e) {
        trouble = NativeAccess.remedy();
        break;
      } catch (IllegalArgumentException e) {
        if (trouble.isEmpty()) {
          trouble = "%s cannot be loaded; %s".formatted(String.join(" or ", candidates), remedy);
        }
      }
    }
    symbols = found;
    absence = found == null ? trouble : "";
  }

  /** Why it is not there, and the remedy; empty if it is. */
  public String absence() {
    return absence;
  }

  /**
   * A function that returns an int.
   *
   * @param parameters i: an int or an enumeration; l: a size, a bit field or a handle; p: memory of
   *     this process
   */
  public MethodHandle integer(String name, String parameters) {
    return link(name, FunctionDescriptor.of(ValueLayout.JAVA_INT, layouts(parameters)));
  }

  /** A function that returns a handle; see {@link #integer}. */
  public MethodHandle object(String name, String parameters) {
    return link(name, FunctionDescriptor.of(ValueLayout.JAVA_LONG, layouts(parameters)));
  }

  private static MemoryLayout[] layouts(String parameters) {
    return parameters
        .chars()
        .mapToObj(letter ->
            switch (letter) {
              case 'i' -> ValueLayout.JAVA_INT;
              case 'l' -> ValueLayout.JAVA_LONG;
              default -> ValueLayout.ADDRESS;
            })
        .toArray(MemoryLayout[]::new);
  }

  private MethodHandle link(String name, FunctionDescriptor type) {
    if (symbols == null) {
      throw new IllegalStateException(absence);
    }
    return LINKER.downcallHandle(symbols.findOrThrow(name), type);
  }

  /** A text of the library's own, with a zero behind. */
  public static String text(MemorySegment address) {
    return address.reinterpret(Long.MAX_VALUE).getString(0);
  }

  /** A call of a function that returns an error code. */
  @FunctionalInterface
  public interface Call {
    /** Calls. */
    int run() throws Throwable;
  }

  /** The error code of a call. */
  public static int code(Call call) {
    try {
      return call.run();
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("a downcall throws nothing", e);
    }
  }
}
