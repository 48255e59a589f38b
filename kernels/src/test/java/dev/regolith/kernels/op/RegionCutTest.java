package dev.regolith.kernels.op;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.scalar.ScalarGemm;
import dev.regolith.kernels.checksum.CheckBlock;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Regions hold every element once, and threads that take them in turn have about the same work. */
@Tag("once")
class RegionCutTest {
  private final GemmProblem problem = new GemmProblem();
  private final RegionCut cut = new RegionCut(new ScalarGemm(), problem);
  private final Region region = new Region();

  private void cut(int batch, int rows, int columns, int threads) {
    problem.batch = batch;
    problem.rows = rows;
    problem.columns = columns;
    problem.depth = 500;
    problem.verify = true;
    cut.cut(threads);
  }

  private long columns() {
    long from = region.block * CheckBlock.COLUMNS;
    long to = (region.block + region.blocks) * CheckBlock.COLUMNS;
    return Math.min(problem.columns, to) - from;
  }

  @Property(tries = 2000)
  void everyElementOnce(
      @ForAll @IntRange(min = 1, max = 3) int batch,
      @ForAll @IntRange(min = 1, max = 1500) int rows,
      @ForAll @IntRange(min = 1, max = 9000) int columns,
      @ForAll @IntRange(min = 1, max = 17) int threads) {
    cut(batch, rows, columns, threads);
    int down = (int) CheckBlock.down(rows);
    int across = (int) CheckBlock.across(columns);
    var seen = new int[batch * down][across];
    for (long number = 0; number < cut.regions(); number++) {
      cut.region(number, region);
      assertThat(region.rows).isBetween(1, Region.MAX_ROWS);
      assertThat(region.blocks).isBetween(1, Region.MAX_BLOCKS);
      assertThat(region.row % CheckBlock.ROWS).isZero();
      assertThat(region.row + region.rows).isLessThanOrEqualTo(rows);
      for (int i = 0; i < CheckBlock.down(region.rows); i++) {
        int row = (int) (region.matrix * down + region.row / CheckBlock.ROWS) + i;
        for (int j = 0; j < region.blocks; j++) {
          seen[row][(int) region.block + j]++;
        }
      }
    }
    for (int[] row : seen) {
      assertThat(row).containsOnly(1);
    }
  }

  /** Whoever is free takes the next one; in percent of what each would compute at best. */
  @ParameterizedTest
  @CsvSource({
    "256, 256, 2, 100", "384, 384, 2, 100", "512, 512, 2, 104", "1000, 1000, 2, 101",
    "1024, 1024, 2, 102", "4096, 4096, 2, 101", "32, 4096, 2, 100", "37, 1000, 2, 103",
    "512, 512, 4, 100", "1000, 1000, 4, 102", "32, 4096, 4, 100", "128, 4096, 4, 100",
    "256, 130, 2, 113", "256, 200, 2, 113", "256, 385, 2, 113", "32, 130, 2, 150",
    "1024, 1024, 8, 100", "4096, 4096, 8, 102", "32, 4096, 8, 100", "512, 11008, 8, 106"
  })
  void threadsHaveAboutTheSameWork(int rows, int columns, int threads, int percent) {
    cut(1, rows, columns, threads);
    var work = new long[threads];
    for (long number = 0; number < cut.regions(); number++) {
      cut.region(number, region);
      int free = 0;
      for (int thread = 1; thread < threads; thread++) {
        free = work[thread] < work[free] ? thread : free;
      }
      work[free] += region.rows * columns();
    }
    long longest = 0;
    for (long each : work) {
      longest = Math.max(longest, each);
    }
    double share = (double) rows * columns / threads;
    assertThat(100 * longest / share).isBetween(100.0, percent + 0.5);
  }
}
