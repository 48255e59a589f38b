package dev.regolith.kernels.op;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Regions hold every row once, whatever shares them. */
@Tag("once")
class AttentionRegionsTest {
  private final AttentionProblem problem = new AttentionProblem();
  private final AttentionRegions regions = new AttentionRegions(problem);
  private final AttentionRegion region = new AttentionRegion();

  private void cut(int batch, int kvHeads, int group, int queries, int most, int threads) {
    problem.batch = batch;
    problem.kvHeads = kvHeads;
    problem.heads = kvHeads * group;
    problem.queries = queries;
    regions.cut(most, threads);
  }

  @Property(tries = 2000)
  void everyRowOnce(
      @ForAll @IntRange(min = 1, max = 3) int batch,
      @ForAll @IntRange(min = 1, max = 9) int kvHeads,
      @ForAll @IntRange(min = 1, max = 5) int group,
      @ForAll @IntRange(min = 1, max = 300) int queries,
      @ForAll @IntRange(max = 17) int threads) {
    int most = 96;
    cut(batch, kvHeads, group, queries, most, threads);
    var seen = new int[batch][problem.heads][queries];
    for (long task = 0; task < regions.count(); task++) {
      if (!regions.describe(task, region)) {
        continue;
      }
      assertThat(region.rows()).isBetween(1, most);
      assertThat(region.heads % region.kvHeads).isZero();
      if (threads == 0) {
        assertThat(region.kvHeads).isEqualTo(1);
      }
      for (int row = 0; row < region.rows(); row++) {
        int head = region.headOf(row);
        seen[(int) region.sequence][head][(int) region.queryOf(row)]++;
        assertThat(problem.kvHeadOf(head)).isEqualTo(region.kvHead + row / region.rowsOfKvHead());
      }
    }
    for (int[][] sequence : seen) {
      for (int[] head : sequence) {
        assertThat(head).containsOnly(1);
      }
    }
  }

  /** As many regions as threads, where there are as many key heads; about as large. */
  @Test
  void threadsAndKeyHeads() {
    assertThat(count(1, 8, 1)).isEqualTo(1);
    assertThat(count(1, 8, 2)).isEqualTo(2);
    assertThat(count(1, 8, 3)).isEqualTo(3);
    assertThat(count(1, 8, 16)).isEqualTo(8);
    assertThat(count(4, 8, 16)).isEqualTo(16);
    assertThat(count(1, 3, 2)).isEqualTo(2);
    assertThat(count(1, 8, 0)).isEqualTo(8);
  }

  private long count(int batch, int kvHeads, int threads) {
    cut(batch, kvHeads, 4, 1, 1536, threads);
    return regions.count();
  }

  /** No more than a region has room for. */
  @Test
  void noMoreThanFit() {
    cut(1, 8, 4, 100, 1536, 1);
    assertThat(regions.count()).isEqualTo(3); // 400 rows a key head: three, three and two
    cut(1, 8, 4, 1000, 1536, 1);
    assertThat(regions.count()).isEqualTo(32); // a head each
  }
}
