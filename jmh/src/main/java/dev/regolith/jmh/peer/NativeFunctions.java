package dev.regolith.jmh.peer;

import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;
import java.util.function.Supplier;

/**
 * The functions of a library for static constants, whose initialisers may throw unchecked
 * exceptions only; {@link #require} turns them back.
 */
final class NativeFunctions {
  private static final class Absent extends RuntimeException {
    private static final long serialVersionUID = 1;

    Absent(PeerAbsentException reason) {
      super(reason);
    }
  }

  private final NativeLibrary library;

  /** Opens the last of the files; those before are what it depends on, in order. */
  NativeFunctions(String... fileNames) {
    try {
      library = NativeLibrary.open(fileNames);
    } catch (PeerAbsentException e) {
      throw new Absent(e);
    }
  }

  MethodHandle get(String name, FunctionDescriptor type) {
    try {
      return library.function(name, type);
    } catch (PeerAbsentException e) {
      throw new Absent(e);
    }
  }

  /** Initialises the class that holds the constants. */
  static void require(Supplier<NativeFunctions> constants) throws PeerAbsentException {
    try {
      if (constants.get() == null) {
        throw new IllegalStateException("constants are initialised when they are read");
      }
    } catch (ExceptionInInitializerError e) {
      if (e.getCause() instanceof Absent absent
          && absent.getCause() instanceof PeerAbsentException reason) {
        throw reason;
      }
      throw e;
    } catch (NoClassDefFoundError e) {
      throw new PeerAbsentException("an earlier attempt to load it failed");
    }
  }
}
