package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * HotSpot compiles every method of the library, with each of its compilers. A kernel that is too
 * much for C1 may stay at a tier that boxes its vectors for the life of the JVM, 200 times slower;
 * docs/decisions.md, "The JIT trap".
 */
@Tag("once")
class JitTest {
  /** Tier and class of a method that was compiled, not for one loop only. */
  private static final Pattern COMPILED = Pattern.compile("\\s([1-4])\\s+(dev\\.regolith\\S+)::");

  /**
   * A class was loaded while the compiler assumed that it would not be; the compilation is repeated
   * as soon as the method is hot again. A skip that is not repeated, or only at another tier, ends
   * with a remark in brackets.
   */
  private static final Pattern REPEATED =
      Pattern.compile("COMPILE SKIPPED: concurrent class loading\\s*$");

  @ParameterizedTest(name = "{0} bits")
  @ValueSource(ints = {512, 128})
  void nothingIsSkippedWhenTheCompilersRace(int bits) throws Exception {
    var lines = workout(List.of("-XX:CompileThresholdScaling=0.1", width(bits)), "1", "1", "12");
    assertThat(skipped(lines)).isEmpty();
    assertThat(compiledKernels(lines, '3')).isNotEmpty();
  }

  @Test
  void everyKernelReachesTheLastTier() throws Exception {
    var lines = workout(List.of("-Xbatch", "-XX:CompileThresholdScaling=0.1"), "12", "1", "12");
    assertThat(skipped(lines)).isEmpty();
    int tails = compiledKernels(lines, '3').size() / 4;
    assertThat(tails).as("rows in a tile and a checking one: 6 and 4, or 9 and 6").isIn(10, 15);
    assertThat(compiledKernels(lines, '4')).hasSize(4 * tails);
  }

  /** The tallest kernels are the largest methods that C1 has to take. */
  @Test
  void theTallestKernelsFitTheFirstCompiler() throws Exception {
    var lines =
        workout(
            List.of("-XX:TieredStopAtLevel=3", "-XX:CompileThresholdScaling=0.005"), "1", "9", "9");
    assertThat(skipped(lines)).isEmpty();
    assertThat(compiledKernels(lines, '3')).hasSizeGreaterThanOrEqualTo(2);
  }

  @Test
  void aSkipThatIsNotRepeatedIsSeen() {
    assertThat(
            skipped(
                List.of(
                    " 1 2  3  dev.regolith.kernels.A::run (9 bytes)   COMPILE SKIPPED: out of"
                        + " virtual registers in LIR generator (retry at different tier)",
                    " 1 2  4  dev.regolith.kernels.A::run (9 bytes)   COMPILE SKIPPED: concurrent"
                        + " class loading",
                    " 1 2  4  java.lang.A::run (9 bytes)   COMPILE SKIPPED: out of nodes (not"
                        + " retryable)")))
        .hasSize(1);
  }

  private static String width(int bits) {
    return "-Ddev.regolith.kernels.vectorBits=" + bits;
  }

  private static List<String> workout(List<String> flags, String... arguments) throws Exception {
    var all = new ArrayList<>(flags);
    all.add("-XX:+PrintCompilation");
    all.add("-Ddev.regolith.kernels.machineCode=off");
    var lines = ForkedJvm.run(all, JitWorkout.class, arguments);
    assertThat(lines).as("PrintCompilation speaks").anyMatch(line -> COMPILED.matcher(line).find());
    return lines;
  }

  private static List<String> skipped(List<String> lines) {
    return lines.stream()
        .filter(line -> line.contains("COMPILE SKIPPED") && line.contains("dev.regolith.kernels"))
        .filter(line -> !REPEATED.matcher(line).find())
        .toList();
  }

  /** Hidden classes are named MicroKernel_12x2_first/0x..., at whatever address. */
  private static List<String> compiledKernels(List<String> lines, char tier) {
    return lines.stream()
        .map(COMPILED::matcher)
        .filter(match -> match.find() && match.group(1).charAt(0) == tier)
        .map(match -> match.group(2).replaceFirst("/.*", ""))
        .filter(name -> name.contains(".MicroKernel_"))
        .distinct()
        .toList();
  }
}
