package dev.regolith.kernels.memory;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** Pages of memory, as Linux hands them out. Thread-safe. */
@SuppressWarnings("restricted") // what it maps is its own
public final class Pages {
  private static final int PROT_READ = 1;
  private static final int PROT_WRITE = 2;
  private static final int PROT_EXEC = 4;
  private static final int MAP_PRIVATE = 0x02;
  private static final int MAP_ANONYMOUS = 0x20;
  private static final int MADV_HUGEPAGE = 14;

  private final MethodHandle mmap =
      link("mmap", ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
  private final MethodHandle munmap = link("munmap", JAVA_INT, ADDRESS, JAVA_LONG);
  private final MethodHandle mprotect = link("mprotect", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
  private final MethodHandle madvise = link("madvise", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);

  /**
   * Looks the system's functions up.
   *
   * @throws IllegalCallerException if native access is denied
   * @throws java.util.NoSuchElementException if this system has no such functions
   */
  public Pages() {}

  private static MethodHandle link(String name, ValueLayout result, ValueLayout... parameters) {
    var linker = Linker.nativeLinker();
    var function = linker.defaultLookup().findOrThrow(name);
    return linker.downcallHandle(function, FunctionDescriptor.of(result, parameters));
  }

  /** New pages of zeros that can be read and written; {@code NULL} if the system has none. */
  public MemorySegment map(long bytes) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    try {
      var pages =
          (MemorySegment)
              mmap.invokeExact(MemorySegment.NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0L);
      return pages.address() == -1 ? MemorySegment.NULL : pages.reinterpret(bytes);
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  /** Gives pages back that {@link #map} mapped. */
  public void unmap(MemorySegment pages) {
    try {
      var _ = (int) munmap.invokeExact(pages, pages.byteSize());
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  /** Has pages executed, and no longer written; whether the system lets this process do so. */
  public boolean execute(MemorySegment pages) {
    try {
      return (int) mprotect.invokeExact(pages, pages.byteSize(), PROT_READ | PROT_EXEC) == 0;
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  /** Asks for huge pages there; the system need not have any. */
  public void wishHuge(MemorySegment pages) {
    try {
      var _ = (int) madvise.invokeExact(pages, pages.byteSize(), MADV_HUGEPAGE);
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }
}
