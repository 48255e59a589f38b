package dev.regolith.kernels.backend.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.tensor.DType;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where elements of packed matrices lie. */
class PanelFormTest {
  private static final int COLUMNS = 16;

  private static PackedB packed(Arena arena, long matrices, long depth, long columns) {
    var b = new PackedB(COLUMNS);
    b.allocate(arena, matrices, depth, columns);
    return b;
  }

  @ParameterizedTest
  @CsvSource({"1, 1, 1", "1, 700, 301", "3, 40, 150", "2, 513, 16"})
  void asTheHostHasThem(long matrices, long depth, long columns) {
    try (var arena = Arena.ofConfined()) {
      PackedB b = packed(arena, matrices, depth, columns);
      for (long panel = 0; panel < b.panelCount(); panel++) {
        for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
          long row = (long) kBlock * PackedB.DEPTH;
          assertThat(PanelForm.OF_HOST.place(b, panel, row))
              .isEqualTo(b.panelOffset(panel, kBlock) / Float.BYTES);
        }
      }
      assertThat(PanelForm.OF_HOST.length(b, b.panelsPerMatrix()))
          .isEqualTo(b.panelCount() / matrices * COLUMNS * depth);
    }
  }

  /** Element by element: matrix, row, panel, column. */
  @ParameterizedTest
  @CsvSource({"1, 1, 1", "1, 70, 301", "3, 40, 150"})
  void inRows(long matrices, long depth, long columns) {
    var form = new PanelForm(DType.FLOAT32, true);
    try (var arena = Arena.ofConfined()) {
      PackedB b = packed(arena, matrices, depth, columns);
      long each = b.panelsPerMatrix();
      long place = 0;
      for (long matrix = 0; matrix < matrices; matrix++) {
        for (long row = 0; row < depth; row++) {
          for (long panel = 0; panel < each; panel++, place += COLUMNS) {
            assertThat(form.place(b, matrix * each + panel, row)).isEqualTo(place);
          }
        }
      }
      assertThat(place).isEqualTo(b.panelCount() * COLUMNS * depth);
      assertThat(form.length(b, each)).isEqualTo(place / matrices);
      assertThat(form.length(b, 1)).isEqualTo((depth - 1) * each * COLUMNS + COLUMNS);
    }
  }

  @Test
  void nothingHasNoLength() {
    try (var arena = Arena.ofConfined()) {
      assertThat(PanelForm.OF_HOST.length(packed(arena, 1, 0, 20), 2)).isZero();
      assertThat(PanelForm.OF_HOST.length(packed(arena, 1, 5, 20), 0)).isZero();
    }
  }
}
