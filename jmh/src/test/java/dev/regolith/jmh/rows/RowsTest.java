package dev.regolith.jmh.rows;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

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
    assertThat(rows).allMatch(row -> Group.of(row.sizes()) == row.group());
    assertThat(rows).extracting(Row::group).contains(Group.values());
    IntStream.of(256, 512, 1024, 2048, 4096)
        .forEach(size ->
            assertThat(rows.stream().filter(row -> row.sizes().equals(Shape.cube(size))))
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

  @Property(tries = 100)
  void attentionsThatArePrintedCanBeRead(
      @ForAll @IntRange(min = 1, max = 30) int batch,
      @ForAll @IntRange(min = 1, max = 9) int kvHeads,
      @ForAll @IntRange(min = 1, max = 9) int group,
      @ForAll @IntRange(min = 1, max = 99) int queries,
      @ForAll @IntRange(min = 99, max = 999) int keys,
      @ForAll @IntRange(min = 1, max = 256) int size,
      @ForAll boolean causal) {
    var shape = new AttentionShape(batch, kvHeads * group, kvHeads, queries, keys, size, causal);
    assertThat(AttentionShape.parse(shape.toString())).isEqualTo(shape);
    double pairs = IntStream.range(0, queries).mapToDouble(shape::visible).sum();
    assertThat(shape.flops()).isCloseTo(4 * pairs * size * shape.heads() * batch, within(1e-3));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "8x8x8",
        "8x8x8x8-casual",
        "8/3x1x64x64",
        "0x8x8x8",
        "8x9x8x8-causal",
        "8x1x99999999999x64",
        "64x65536x65536x256"
      })
  void whatIsNoAttentionIsRefused(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> AttentionShape.parse(text));
  }

  @Test
  void attentionRowsAreThePromisedOnes() {
    List<Row> rows = RowSets.attention(List.of(1, 2));
    assertThat(rows).doesNotHaveDuplicates();
    assertThat(rows.stream().filter(row -> row.group() == Group.PREFILL)).hasSize(2 * 5 * 2 * 2);
    assertThat(rows.stream().filter(Row::readsFromMemory)).hasSize(2 * 7 * 2);
    assertThat(rows)
        .extracting(row -> row.sizes().toString())
        .contains("32x512x512x64-causal", "2x8192x8192x128", "32/8x1x65536x128", "8x1x1024x128");
    // At most about a second at 70 GFLOP/s, or reading half a gibibyte.
    assertThat(rows)
        .allMatch(row -> row.sizes().flops() < 7e10 && row.sizes().coldBytes() <= 1 << 29);
    var decode = AttentionShape.parse("32/8x1x1024x128");
    assertThat(decode.flops()).isEqualTo(4.0 * 128 * 32 * 1024);
    assertThat(decode.bytes()).isEqualTo(2.0 * 4 * 8 * 1024 * 128);
    assertThat(decode.toList()).containsExactly(1, 32, 8, 1, 1024, 128, 0);
  }

  @Test
  void aRowKnowsItsKernel() {
    Row row = RowSets.attention(List.of(1)).getFirst();
    assertThat(row.attention()).isEqualTo(row.sizes());
    assertThatIllegalStateException().isThrownBy(row::shape);
    assertThatIllegalStateException()
        .isThrownBy(() -> RowSets.quick(List.of(1)).getFirst().attention());
  }

  @Test
  void keysAreCachedWhereAnEngineDecodes() {
    assertThat(RowSets.attention(List.of(1)))
        .allMatch(row -> (row.operands() == Operands.PACKED) == (row.attention().queries() == 1))
        .extracting(Row::operands)
        .contains(Operands.FRESH, Operands.PACKED);
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
