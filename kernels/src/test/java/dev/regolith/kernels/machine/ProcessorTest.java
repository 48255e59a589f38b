package dev.regolith.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What the processor says, beside what the system says of it. */
@Tag("once")
class ProcessorTest {
  @BeforeEach
  void onlyWhereItCanBeAsked() {
    assumeTrue(MachineCode.absence().isEmpty());
  }

  /** What systems say of it, from other leaves, differs on some virtual machines. */
  @Test
  void theSecondLevelCacheHasAUsualSize() {
    assertThat(Processor.levelTwoBytes()).isBetween(256 << 10, 4 << 20);
    assertThat(Processor.levelTwoBytes() % (64 << 10)).isZero();
  }

  @Test
  void theMakerIsThatOfTheSystemsList() throws IOException {
    Path list = Path.of("/proc/cpuinfo");
    assumeTrue(Files.isReadable(list));
    String all = Files.readString(list);
    assumeTrue(all.contains("vendor_id"));
    assertThat(Processor.isAmd()).isEqualTo(all.contains("AuthenticAMD"));
  }

  @Test
  void instructionsAreThoseOfTheSystemsList() throws IOException {
    Path list = Path.of("/proc/cpuinfo");
    assumeTrue(Files.isReadable(list));
    String flags =
        Files.readAllLines(list).stream()
            .filter(line -> line.startsWith("flags"))
            .findFirst()
            .orElse("");
    assumeTrue(!flags.isEmpty());
    var has = List.of(flags.split("\\s+", -1));
    assertThat(Processor.hasAvx2AndFma()).isEqualTo(has.contains("avx2") && has.contains("fma"));
    assertThat(Processor.hasAvx512())
        .isEqualTo(
            has.contains("fma")
                && has.contains("avx2")
                && has.contains("avx512f")
                && has.contains("avx512vl"));
  }
}
