package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Range;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Wrong results of a small product, before there was any seal or digest of them. */
@Tag("machine")
class ColumnChecksTest {
  /** What every check sees, over the root mean square of the result (docs/numerics.md). */
  private static final double ALWAYS = 2e-4;

  private final Arena arena = Arena.ofConfined();
  private final SplittableRandom random = new SplittableRandom(17);
  private final GemmProblem p = new GemmProblem();
  private final VectorWorkspace workspace = new VectorWorkspace();
  private float scale = 1;

  @BeforeEach
  void needsMachineCode() {
    assumeTrue(VectorShapes.MACHINE_CODE);
  }

  @AfterEach
  void close() {
    arena.close();
    workspace.close();
  }

  @ParameterizedTest(name = "{0} x {1} x {2}")
  @CsvSource({
    "1, 1, 1",
    "8, 8, 8",
    "7, 30, 37",
    "64, 64, 64",
    "100, 100, 200",
    "25, 512, 128",
    "288, 512, 40"
  })
  void wrongElementsShow(int m, int k, int n) {
    p.alpha = 1;
    open(m, k, n);
    var region = new Region().set(0, 0, m, 0, (int) CheckBlock.across(n));
    assertThat(verify(region)).as("right").isEmpty();
    double squares = 0;
    for (int i = 0; i < m * n; i++) {
      squares += Math.pow(p.c.getAtIndex(JAVA_FLOAT, i), 2);
    }
    float error = (float) (ALWAYS * Math.sqrt(squares / (m * n)));
    for (int turn = 0; turn < 100; turn++) {
      int word = random.nextInt(m * n);
      float before = p.c.getAtIndex(JAVA_FLOAT, word);
      float after = random.nextBoolean() ? before + error : before - error;
      p.c.setAtIndex(JAVA_FLOAT, word, turn % 10 == 9 ? Float.NaN : after);
      assertThat(verify(region))
          .as("word %d of %f", word, before)
          .containsExactly("ARITHMETIC in block " + word % n / CheckBlock.COLUMNS);
      p.c.setAtIndex(JAVA_FLOAT, word, before);
    }
    assertThat(verify(region)).as("right again").isEmpty();
  }

  /** Where float32 sums of squares have no room, something else has to look. */
  @ParameterizedTest(name = "A times {0}, {1} A B + {2} C")
  @CsvSource({
    "1, -0.75, 0",
    "1, 1, 1.25",
    "1, 0.5, -2",
    "1e-6, 1, 1e-6",
    "1e17, 1, 0",
    "1e-19, 1, 0",
    "1e-21, 1, 0",
    "1e-30, 1, 0",
    "1e10, 1e20, 0"
  })
  void wrongElementsShowAtAnyScale(float scale, float alpha, float beta) {
    int m = 50;
    int n = 60;
    this.scale = scale;
    p.alpha = alpha;
    p.beta = beta;
    open(m, 70, n);
    var region = new Region().set(0, 0, m, 0, 1);
    boolean settled = scale == 1 || scale == 1e-6f;
    if (settled) {
      assertThat(verify(region)).as("right").isEmpty();
    }
    double squares = 0;
    for (int i = 0; i < m * n; i++) {
      squares += Math.pow(p.c.getAtIndex(JAVA_FLOAT, i), 2);
    }
    float error = (float) (10 * ALWAYS * Math.sqrt(squares / (m * n)));
    for (int turn = 0; turn < 100; turn++) {
      int word = random.nextInt(m * n);
      float before = p.c.getAtIndex(JAVA_FLOAT, word);
      p.c.setAtIndex(JAVA_FLOAT, word, before + error);
      assertThat(verify(region))
          .as("word %d of %g", word, before)
          .containsAnyOf("ARITHMETIC in block 0", "UNDECIDED in block 0");
      p.c.setAtIndex(JAVA_FLOAT, word, before);
    }
  }

  /** What was stored is compared with its digest, a check block at a time. */
  @ParameterizedTest
  @ValueSource(ints = {1, 24, 53})
  void cIsHeldAgainstDigests(int m) {
    int n = 150;
    open(m, 8, n);
    var region = new Region().set(0, 0, m, 0, 2);
    workspace.open(m, true);
    for (int block = 0; block < region.blocks; block++) {
      int columns = p.b.columnsOf(block);
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < columns; j++) {
          int at = i * n + block * CheckBlock.COLUMNS + j;
          long word = Integer.toUnsignedLong(p.c.getAtIndex(JAVA_INT, at));
          int lane = j / 2 % VectorShapes.WIDE_LANES;
          workspace.digests[workspace.blockDigest(i) + lane] += word << (32 * (j % 2));
        }
      }
      var suspects = new ArrayList<String>();
      boolean damages = block == 1;
      if (damages) {
        workspace.digests[workspace.blockDigest(m - 1)]++;
      }
      var regions = new ArrayList<Region>();
      ColumnChecks.show(p, region, block, workspace, new Listener(suspects, regions));
      assertThat(suspects).hasSize(damages ? 1 : 0);
      if (damages) {
        int top = (m - 1) / CheckBlock.ROWS * CheckBlock.ROWS;
        assertThat(suspects).containsExactly("OUTPUT in block 1");
        assertThat(regions.getFirst().row).isEqualTo(top);
        assertThat(regions.getFirst().rows).isEqualTo(m - top);
      }
    }
  }

  private void open(int m, int k, int n) {
    p.batch = 1;
    p.rows = m;
    p.depth = k;
    p.columns = n;
    p.verify = true;
    p.a = floats(m * k, scale);
    p.oldC = floats(m * n, 1);
    p.oldCStride = 4L * n;
    p.aStride = 4L * k;
    p.b = new PackedB(TILE_COLUMNS);
    p.b.reshape(1, k, n);
    p.openSource(floats(k * n, 1), new Range(0, 1, k, n, 0, n, 1), true);
    p.c = arena.allocate(4L * m * n, 64);
    p.cStride = 4L * n;
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        float sum = 0;
        for (int l = 0; l < k; l++) {
          float b = p.bSource.getAtIndex(JAVA_FLOAT, (long) l * n + j);
          sum = Math.fma(p.a.getAtIndex(JAVA_FLOAT, (long) i * k + l), b, sum);
        }
        float old = p.oldC.getAtIndex(JAVA_FLOAT, (long) i * n + j);
        float result = p.beta == 0 ? p.alpha * sum : Math.fma(p.alpha, sum, p.beta * old);
        p.c.setAtIndex(JAVA_FLOAT, (long) i * n + j, result);
      }
    }
  }

  private MemorySegment floats(int count, float factor) {
    var memory = arena.allocate(4L * count, 64);
    for (int i = 0; i < count; i++) {
      memory.setAtIndex(JAVA_FLOAT, i, factor * (float) random.nextGaussian());
    }
    return memory;
  }

  /** Reads C back and checks it; what is suspected. */
  private List<String> verify(Region region) {
    var notStored = new Listener(new ArrayList<>()); // by a kernel, which would know a digest
    for (int block = 0; block < region.blocks; block++) {
      ColumnChecks.show(p, region, block, workspace, notStored);
    }
    var suspects = new ArrayList<String>();
    ColumnChecks.verify(p, region, workspace, new Listener(suspects));
    return suspects;
  }

  /** Right results need no second look either. */
  private record Listener(List<String> suspects, List<Region> regions) implements EvidenceSink {
    Listener(List<String> suspects) {
      this(suspects, new ArrayList<>());
    }

    @Override
    public void suspect(GemmProblem problem, Region region, Component component) {
      regions.add(region);
      suspects.add(component + " in block " + region.block);
    }

    @Override
    public void undecided(GemmProblem problem, Region region) {
      suspects.add("UNDECIDED in block " + region.block);
    }

    @Override
    public void evidence(
        GemmProblem problem, Region region, long row, int rows, Evidence evidence, int at) {
      suspects.add("a check of rows");
    }

    @Override
    public void inputDiffers(GemmProblem problem, Region region, long block) {
      suspects.add("A");
    }

    @Override
    public void panelDiffers(GemmProblem problem, Region region, long panel, int kBlock) {
      suspects.add("a panel");
    }

    @Override
    public void recordDiffers(GemmProblem problem, Region region, long block, int kBlock) {
      suspects.add("a record");
    }
  }
}
