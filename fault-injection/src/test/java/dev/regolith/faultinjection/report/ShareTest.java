package dev.regolith.faultinjection.report;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShareTest {

  @ParameterizedTest
  @CsvSource({
    "0, 100, 0 %",
    "1, 100000, < 0.1 %",
    "412, 1000, 41.2 %",
    "99999, 100000, > 99.9 %",
    "100, 100, 100 %",
    "0, 0, -",
  })
  void percentagesNeverFlatter(long hits, long trials, String shown) {
    assertThat(new Share(hits, trials).percent()).isEqualTo(shown);
  }

  @Test
  void intervalsAreRoundedOutwards() {
    assertThat(new Share(4321, 4321).interval()).isEqualTo("99.91-100 %");
    assertThat(new Share(0, 20_000).interval()).isEqualTo("0-0.02 %");
    assertThat(new Share(81, 263).interval()).isEqualTo("25.2-36.8 %");
    assertThat(new Share(0, 0).interval()).isEqualTo("-");
  }

  @Test
  void countsHaveThousands() {
    assertThat(new Share(4321, 4321).ofTotal()).isEqualTo("4,321/4,321");
  }
}
