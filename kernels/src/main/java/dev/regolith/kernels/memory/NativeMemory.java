package dev.regolith.kernels.memory;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Native memory of zeros that lives as long as an arena, aligned to 64 bytes. What is large lies in
 * huge pages where Linux has them on request (transparent huge pages, {@code madvise}): many
 * streams are read at once, and their small pages would be more than a TLB holds.
 *
 * <p>Such memory is mapped, and does not count against {@code -XX:MaxDirectMemorySize}. Pages come
 * when they are first touched.
 *
 * <p>Thread-safe.
 */
public final class NativeMemory {
  /** Of the JVM: {@code off} declines huge pages, {@code on} is the default. */
  public static final String PROPERTY = "dev.regolith.kernels.hugePages";

  /** Of all memory from here, in bytes: a cache line. */
  public static final long ALIGNMENT = 64;

  private static final Path SETTINGS = Path.of("/sys/kernel/mm/transparent_hugepage");

  /** Larger ones (512 MiB where small pages have 64 KiB) would be waste. */
  private static final long MOST = 32L << 20;

  /** Bytes of a huge page, from which on memory lies in some; none is asked for as much. */
  private static final long HUGE =
      System.getProperty(PROPERTY, "on").equals("off") ? Long.MAX_VALUE : ofSystem();

  /** Native access begins when somebody asks for so much. */
  private static final class Linked {
    static final @Nullable Pages PAGES = open();

    private static @Nullable Pages open() {
      try {
        return new Pages();
      } catch (RuntimeException | LinkageError e) {
        return null; // it is denied
      }
    }
  }

  private NativeMemory() {}

  private static long ofSystem() {
    try {
      if (Files.readString(SETTINGS.resolve("enabled")).contains("[never]")) {
        return Long.MAX_VALUE;
      }
      long bytes = Long.parseLong(Files.readString(SETTINGS.resolve("hpage_pmd_size")).strip());
      return Long.bitCount(bytes) == 1 && bytes <= MOST ? bytes : Long.MAX_VALUE;
    } catch (IOException | RuntimeException e) {
      return Long.MAX_VALUE;
    }
  }

  /** Bytes of a huge page, if memory of that size and more asks for some. */
  public static OptionalLong hugePageBytes() {
    boolean asks = HUGE < Long.MAX_VALUE && Linked.PAGES != null;
    return asks ? OptionalLong.of(HUGE) : OptionalLong.empty();
  }

  /**
   * Memory of zeros. An arena of the caller's own making allocates itself, however much it is.
   *
   * @throws IllegalStateException if the arena is closed
   * @throws WrongThreadException if it is confined to another thread
   * @throws OutOfMemoryError if there is not so much
   */
  public static MemorySegment allocate(Arena arena, long bytes) {
    boolean large = bytes >= HUGE && arena.getClass().getModule() == Object.class.getModule();
    Pages system = large ? Linked.PAGES : null;
    MemorySegment pages = system == null ? MemorySegment.NULL : system.map(bytes + HUGE);
    return system == null || pages.equals(MemorySegment.NULL)
        ? arena.allocate(Math.max(1, bytes), ALIGNMENT)
        : withHugePages(arena, bytes, pages, system);
  }

  /** What allocates such memory, aligned to 64 bytes at most. */
  public static SegmentAllocator in(Arena arena) {
    return (bytes, alignment) -> {
      if (alignment > ALIGNMENT) {
        throw new IllegalArgumentException("memory is aligned to 64 bytes, not to " + alignment);
      }
      return allocate(arena, bytes);
    };
  }

  @SuppressWarnings("restricted") // the memory is our own, and stays as long as the arena
  private static MemorySegment withHugePages(
      Arena arena, long bytes, MemorySegment pages, Pages system) {
    MemorySegment memory = pages.asSlice(-pages.address() & (HUGE - 1), bytes);
    system.wishHuge(memory);
    try {
      return memory.reinterpret(arena, _ -> system.unmap(pages));
    } catch (RuntimeException e) {
      system.unmap(pages);
      throw e;
    }
  }
}
