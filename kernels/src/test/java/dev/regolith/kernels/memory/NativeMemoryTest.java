package dev.regolith.kernels.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Memory of zeros that an arena frees, in huge pages where there are some. */
@Tag("once")
class NativeMemoryTest {
  private static final long LARGE = 1L << 30;

  /** What the system says of the pages at an address, of its attributes and their flags. */
  private static Optional<List<String>> mapping(long address) throws IOException {
    List<String> found = null;
    for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
      if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
        if (found != null) {
          return Optional.of(found);
        }
        long from = Long.parseUnsignedLong(line.substring(0, line.indexOf('-')), 16);
        long to =
            Long.parseUnsignedLong(line.substring(line.indexOf('-') + 1, line.indexOf(' ')), 16);
        found = from <= address && address < to ? new ArrayList<>() : null;
      } else if (found != null) {
        found.add(line);
      }
    }
    return Optional.ofNullable(found);
  }

  private static long assumedHugePage() {
    assumeThat(NativeMemory.hugePageBytes()).isPresent();
    return NativeMemory.hugePageBytes().orElseThrow();
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 63, 4096, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, (5 << 20) + 12})
  void zerosOfTheSizeThatWasAskedFor(long bytes) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment memory = NativeMemory.allocate(arena, bytes);
      assertThat(memory.byteSize()).isEqualTo(Math.max(1, bytes));
      assertThat(memory.address() % 64).isZero();
      assertThat(memory.scope()).isEqualTo(arena.scope());
      assertThat(memory.mismatch(MemorySegment.ofArray(new byte[(int) memory.byteSize()])))
          .isEqualTo(-1);
      memory.fill((byte) 1);
      MemorySegment other = NativeMemory.allocate(arena, bytes);
      assertThat(other.asOverlappingSlice(memory)).isEmpty();
    }
  }

  @Test
  void whatIsLargeLiesInHugePages() throws IOException {
    long page = assumedHugePage();
    try (var arena = Arena.ofShared()) {
      MemorySegment memory = NativeMemory.allocate(arena, LARGE);
      assertThat(memory.address() % page).isZero();
      for (long at : new long[] {0, LARGE / 2, LARGE - 1}) {
        assertThat(mapping(memory.address() + at))
            .hasValueSatisfying(lines ->
                assertThat(lines)
                    .anySatisfy(line -> assertThat(line).startsWith("VmFlags:").contains(" hg")));
      }
    }
  }

  @Test
  void anArenaFreesIt() throws IOException {
    assumedHugePage();
    MemorySegment memory;
    try (var arena = Arena.ofShared()) {
      memory = NativeMemory.allocate(arena, LARGE);
      assertThat(mapping(memory.address() + LARGE / 2)).isPresent();
    }
    assertThat(mapping(memory.address() + LARGE / 2)).isEmpty();
    assertThatThrownBy(() -> memory.get(ValueLayout.JAVA_BYTE, 0))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void arenasThatCannotAllocateAreRefused() {
    var closed = Arena.ofShared();
    closed.close();
    assertThatThrownBy(() -> NativeMemory.allocate(closed, LARGE))
        .isInstanceOf(IllegalStateException.class);
    try (var confined = Arena.ofConfined()) {
      assertThatThrownBy(
              () -> CompletableFuture.runAsync(() -> NativeMemory.allocate(confined, LARGE)).join())
          .hasCauseInstanceOf(WrongThreadException.class);
    }
  }

  /** Those that nobody closes: the garbage collector frees one, nothing the other. */
  @Test
  void arenasThatNobodyCloses() {
    for (var arena : List.of(Arena.ofAuto(), Arena.global())) {
      MemorySegment memory = NativeMemory.allocate(arena, 3 << 20);
      assertThat(memory.scope()).isEqualTo(arena.scope());
      memory.fill((byte) 7);
      assertThat(memory.get(ValueLayout.JAVA_BYTE, (3 << 20) - 1)).isEqualTo((byte) 7);
    }
  }

  @Test
  void anAllocatorThatPromisesNoMoreThanItKeeps() {
    try (var arena = Arena.ofConfined()) {
      SegmentAllocator allocator = NativeMemory.in(arena);
      assertThat(allocator.allocate(100, 64).address() % 64).isZero();
      assertThatThrownBy(() -> allocator.allocate(100, 128))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("128");
    }
  }

  @Test
  void anArenaOfTheCallersOwnAllocatesItself() {
    var asked = new ArrayList<Long>();
    try (var own = new Own(Arena.ofConfined(), asked)) {
      MemorySegment memory = NativeMemory.allocate(own, 3 << 20);
      assertThat(memory.byteSize()).isEqualTo(3 << 20);
      assertThat(asked).containsExactly(3L << 20);
    }
  }

  private record Own(Arena arena, List<Long> asked) implements Arena {
    @Override
    public MemorySegment allocate(long bytes, long alignment) {
      asked.add(bytes);
      return arena.allocate(bytes, alignment);
    }

    @Override
    public MemorySegment.Scope scope() {
      return arena.scope();
    }

    @Override
    public void close() {
      arena.close();
    }
  }
}
