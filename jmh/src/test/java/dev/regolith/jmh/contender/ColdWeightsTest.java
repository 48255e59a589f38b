package dev.regolith.jmh.contender;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.jmh.machine.Caches;
import dev.regolith.jmh.rows.Group;
import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.rows.Shape;
import org.junit.jupiter.api.Test;

class ColdWeightsTest {
  @Test
  void copiesOutgrowTheLastLevelCache() {
    var decode = new Row(Group.DECODE, new Shape(1, 4096, 4096), Operands.PACKED, 1);
    assertThat(ColdWeights.copies(decode, 32L << 20)).isEqualTo(2);
    assertThat(ColdWeights.copies(decode, 256L << 20)).isEqualTo(16);
    assertThat(ColdWeights.copies(decode, 1 << 20)).isEqualTo(1);
    assertThat(ColdWeights.copies(decode, 480L << 20)).isEqualTo(16);
    assertThat(ColdWeights.copies(decode, 1L << 30)).isEqualTo(32);
    var small = new Row(Group.DECODE, new Shape(1, 64, 64), Operands.PACKED, 1);
    assertThat(ColdWeights.copies(small, 1 << 20)).isEqualTo(256);
    assertThat(ColdWeights.copies(small, 480L << 20)).isEqualTo(4096);
    var layer = new Row(Group.WEIGHTS, new Shape(64, 4096, 4096), Operands.PACKED, 1);
    assertThat(ColdWeights.copies(layer, 256L << 20)).isEqualTo(1);
  }

  @Test
  void thisMachineHasCachesOrADefault() {
    assertThat(Caches.lastLevelBytes()).isGreaterThanOrEqualTo(32 << 10);
  }
}
