package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Without the incubator module the library loads, computes the same bits, and says so once. */
@Tag("once")
class FallbackTest {
  private static final List<String> VECTORS =
      List.of("--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED");

  private static final String REMEDY = "--add-modules jdk.incubator.vector";

  @Test
  void plainJavaComputesWhereTheModuleIsMissing() {
    var fork = Fork.run(List.of(), FallbackMain.class, "lenient");
    assertThat(fork.exit()).as(fork.text()).isZero();
    assertThat(fork.count("computed by scalar: CLEAN")).as(fork.text()).isEqualTo(2);
    assertThat(fork.count("first difference: -1")).as(fork.text()).isEqualTo(2);
    assertThat(fork.count(REMEDY)).as("announced once: " + fork.text()).isEqualTo(1);
  }

  @Test
  void strictSessionsRefuse() {
    var fork = Fork.run(List.of(), FallbackMain.class, "strict");
    assertThat(fork.exit()).as(fork.text()).isZero();
    assertThat(fork.text()).contains("refused").contains(REMEDY).doesNotContain("computed by");
  }

  @Test
  void theModuleIsUsedWhereItIsPresent() {
    var fork =
        Fork.run(List.of("--add-modules", "jdk.incubator.vector"), FallbackMain.class, "strict");
    assertThat(fork.exit()).as(fork.text()).isZero();
    assertThat(fork.count("computed by vector")).as(fork.text()).isEqualTo(2);
    assertThat(fork.count("first difference: -1")).as(fork.text()).isEqualTo(2);
  }

  @Test
  void bytecodeComputesWhereNativeAccessIsDenied() {
    var fork =
        Fork.run(
            List.of("--add-modules", "jdk.incubator.vector", "--illegal-native-access=deny"),
            FallbackMain.class,
            "lenient");
    assertThat(fork.exit()).as(fork.text()).isZero();
    assertThat(fork.count("first difference: -1")).as(fork.text()).isEqualTo(2);
    assertThat(fork.text()).contains("computed by vector").doesNotContain("machine code: CLEAN");
    boolean couldBe =
        Fork.run(VECTORS, FallbackMain.class, "lenient").count("machine code: CLEAN") > 0;
    assertThat(fork.count("--enable-native-access"))
        .as("announced once")
        .isEqualTo(couldBe ? 1 : 0);
  }

  /** Whoever declines huge pages, or native access, has large tensors in small ones. */
  @Test
  void hugePagesCanBeDeclined() {
    for (var flag :
        List.of("-Ddev.regolith.kernels.hugePages=off", "--illegal-native-access=deny")) {
      var fork = Fork.run(List.of(flag), HugePagesMain.class);
      assertThat(fork.exit()).as(fork.text()).isZero();
      assertThat(fork.text()).contains("aligned: true", "huge pages: OptionalLong.empty");
    }
  }

  @Test
  void anInterpreterIsAnnounced() {
    var fork =
        Fork.run(
            List.of("-Xint", "--add-modules", "jdk.incubator.vector"),
            FallbackMain.class,
            "strict");
    assertThat(fork.text()).contains("refused").contains("-Xint");
  }

  @Test
  void missingBoundsChecksAreAnnounced() {
    var fork =
        Fork.run(
            List.of(
                "--add-modules",
                "jdk.incubator.vector",
                "-Djdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK=0"),
            FallbackMain.class,
            "strict");
    assertThat(fork.text()).contains("refused").contains("VECTOR_ACCESS_OOB_CHECK");
  }
}
