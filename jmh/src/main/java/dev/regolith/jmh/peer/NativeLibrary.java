package dev.regolith.jmh.peer;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * A shared object, open for the life of the JVM. Addresses are passed as {@code long}: they are in
 * the same registers as pointers on every 64-bit platform, and no object is made for them.
 */
@SuppressWarnings("restricted") // calling C is what this package is for
final class NativeLibrary {
  private static final Linker LINKER = Linker.nativeLinker();

  private final Path file;
  private final SymbolLookup symbols;

  private NativeLibrary(Path file, SymbolLookup symbols) {
    this.file = file;
    this.symbols = symbols;
  }

  /** Opens the last of the files; those before are what it depends on, in order. */
  static NativeLibrary open(String... fileNames) throws PeerAbsentException {
    NativeLibrary library = null;
    for (String fileName : fileNames) {
      Path file = PeerFolder.find(fileName);
      try {
        library = new NativeLibrary(file, SymbolLookup.libraryLookup(file, Arena.global()));
      } catch (IllegalArgumentException e) {
        throw new PeerAbsentException("%s cannot be loaded: %s".formatted(file, e.getMessage()));
      }
    }
    if (library == null) {
      throw new IllegalArgumentException("no file");
    }
    return library;
  }

  /** A C function. */
  MethodHandle function(String name, FunctionDescriptor type) throws PeerAbsentException {
    MemorySegment address =
        symbols
            .find(name)
            .orElseThrow(() -> new PeerAbsentException("%s has no %s".formatted(file, name)));
    return LINKER.downcallHandle(address, type);
  }
}
