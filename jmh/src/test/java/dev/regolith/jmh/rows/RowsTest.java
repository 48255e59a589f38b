package dev.regolith.jmh.rows;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RowsTest {
  @Property(tries = 100)
  void whatIsPrintedCanBeRead(
      @ForAll @IntRange(min = 1, max = 300) int batch,
      @ForAll @IntRange(min = 1, max = 999) int m,
      @ForAll @IntRange(min = 1, max = 999) int k,
      @ForAll @IntRange(min = 1, max = 999) int n) {
    var shape = new Shape(batch, m, k, n);
    assertThat(Shape.parse(shape.toString())).isEqualTo(shape);
    assertThat(shape.intensity()).isPositive();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "8",
        "8x8",
        "axbxc",
        "8x8x8x8x8",
        "0x8x8",
        "-1x8x8",
        "8x8x99999999999",
        "65536x65536x8"
      })
  void whatIsNoProductIsRefused(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> Shape.parse(text));
  }

  @ParameterizedTest
  @CsvSource({
    "1024x1024x1024, SQUARE",
    "1000x1000x1000, SMALL",
    "64x64x64, SMALL",
    "37x253x1000, SMALL",
    "2x4096x4096, DECODE",
    "64x4096x4096, WEIGHTS",
    "64x128x64x128, BATCH"
  })
  void aShapeFindsItsGroup(String shape, Group group) {
    assertThat(Group.of(Shape.parse(shape))).isEqualTo(group);
  }

  @Test
  void theSensibleSetAgreesWithItself() {
    List<Row> rows = RowSets.sensible(List.of(1, 2));
    assertThat(rows).doesNotHaveDuplicates();
    assertThat(rows).allMatch(row -> Group.of(row.shape()) == row.group());
    assertThat(rows).extracting(Row::group).contains(Group.values());
    IntStream.of(256, 512, 1024, 2048, 4096)
        .forEach(size ->
            assertThat(rows.stream().filter(row -> row.shape().equals(Shape.cube(size))))
                .hasSize(4));
    assertThat(rows.stream().filter(row -> row.group() == Group.WEIGHTS)).hasSize(30);
    assertThat(rows.stream().filter(row -> row.group() == Group.DECODE)).hasSize(24);
  }

  @Test
  void theQuickSetHasSquaresUpTo2048AndTwoDecodeRows() {
    List<Row> rows = RowSets.quick(List.of(1));
    assertThat(rows)
        .extracting(row -> row.shape().toString())
        .contains("256x256x256", "512x512x512", "1024x1024x1024", "2048x2048x2048");
    assertThat(rows.stream().filter(row -> row.group() == Group.DECODE)).hasSize(2);
  }

  @Test
  void aBatchIsNeverPacked() {
    var both = List.of(Operands.FRESH, Operands.PACKED);
    assertThat(RowSets.chosen(List.of(Shape.parse("8x4x4x4")), both, List.of(1)))
        .singleElement()
        .matches(row -> row.operands() == Operands.FRESH);
    assertThat(RowSets.chosen(List.of(Shape.cube(8)), both, List.of(1, 2))).hasSize(4);
  }
}
