package dev.regolith.kernels.backend.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.scalar.ScalarGemm;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every tile that the device at hand, or a GPU, may be given, with rows, columns and steps that
 * fill none of them: bits and sums.
 */
@Tag("device-only")
class GemmTileTest {
  private static final int PANEL = 16;
  private static final int ROWS = 61;
  private static final int COLUMNS = 301;
  private static final int DEPTH = 530;

  static Stream<GemmTile> tiles() {
    DeviceInfo device = TestDevice.device().info();
    // PoCL takes minutes to compile the larger groups.
    long largest = device.kind() == DeviceInfo.Kind.GPU ? device.workGroup() : 32;
    return Stream.concat(
            GemmTile.candidates(device, PANEL).stream(),
            GemmTile.OF_GPU.stream().filter(tile -> tile.fits(PANEL) && tile.group() <= largest))
        .distinct();
  }

  @ParameterizedTest
  @MethodSource("tiles")
  void bitsAndSums(GemmTile tile) {
    bitsAndSums(tile, PanelForm.OF_HOST);
  }

  /** Of panels that lie there as a vendor's library takes them, in whole rows of a matrix. */
  @ParameterizedTest
  @MethodSource("tiles")
  void bitsAndSumsOfRows(GemmTile tile) {
    bitsAndSums(tile, new PanelForm(DType.FLOAT32, true));
  }

  /** Of panels that lie there in 16 bits, with the same sums: the seals are those of the host's. */
  @ParameterizedTest
  @MethodSource("tiles")
  void bitsAndSumsOfHalves(GemmTile tile) {
    bitsAndSums(tile, new PanelForm(DType.BFLOAT16, false));
    bitsAndSums(tile, new PanelForm(DType.FLOAT16, false));
  }

  /** Of as many rows as a tile has, where panels are summed up while they are multiplied. */
  @ParameterizedTest
  @MethodSource("tiles")
  void bitsAndSumsOfFewRows(GemmTile tile) {
    bitsAndSums(tile, PanelForm.OF_HOST, tile.rows());
    bitsAndSums(tile, new PanelForm(DType.BFLOAT16, false), 1);
  }

  private static void bitsAndSums(GemmTile tile, PanelForm form) {
    bitsAndSums(tile, form, ROWS);
  }

  private static void bitsAndSums(GemmTile tile, PanelForm form, int rows) {
    try (var context =
            new DeviceContext(TestDevice.api(), TestDevice.device(), ProgramCache.ofUser());
        var program = new GemmProgram(context, tile, PANEL);
        var gemm = new DeviceGemm(context, program);
        var arena = Arena.ofShared()) {
      var twin = new ScalarGemm();
      var workspace = twin.newWorkspace();
      GemmProblem p = problem(arena, twin, form.type(), rows);
      assertThat(program.takes(form, reason -> {})).isTrue();
      var region = new Region().set(0, 0, rows, 0, (int) p.b.blocks());
      try (var panels = new DevicePanels(p.b, context, form)) {
        gemm.run(p, region, panels.open(p.b, gemm.queue(), false), null, null, false, 7);
        byte[] onDevice = p.c.toArray(ValueLayout.JAVA_BYTE);
        List<Component> suspects = new ArrayList<>();
        var sink = new SuspectsOnly(suspects);
        twin.examine(p, region, workspace, sink); // makes the seals of what arrived
        DeviceEvidence evidence = gemm.evidence();
        evidence.verifyPanels(p, region, panels, gemm.queue(), twin, workspace, sink);
        evidence.verifyA(p, region, false, twin, workspace, sink);
        evidence.verifyOld(p, region, twin, workspace, sink);
        evidence.verifyResult(p, region, sink);
        assertThat(suspects).isEmpty();
        assertThat(panels.repairs().noneSince(0)).isTrue();
        twin.run(p, region, workspace, sink);
        assertThat(p.c.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(onDevice);
      }
    }
  }

  /** What the device predicts and shows is what the scalar loops do, but for the order of sums. */
  @ParameterizedTest
  @MethodSource("tiles")
  void evidenceOfTheTwin(GemmTile tile) {
    var twin = new ScalarGemm();
    try (var context =
            new DeviceContext(TestDevice.api(), TestDevice.device(), ProgramCache.ofUser());
        var program = new GemmProgram(context, tile, PANEL);
        var ofEvidence = EvidenceProgram.compile(context, tile, twin);
        var gemm = new DeviceGemm(context, program, ofEvidence, null);
        var arena = Arena.ofShared()) {
      var workspace = twin.newWorkspace();
      GemmProblem p = problem(arena, twin, DType.FLOAT32, ROWS);
      for (var region :
          List.of(
              new Region().set(0, 0, ROWS, 0, (int) p.b.blocks()),
              new Region().set(0, 24, 24, 1, 2))) {
        var wanted = new KeptEvidence();
        twin.run(p, region, workspace, wanted);
        var got = new KeptEvidence();
        try (var panels = new DevicePanels(p.b, context, PanelForm.OF_HOST)) {
          PanelBuffer memory = panels.open(p.b, gemm.queue(), false);
          DeviceObject records = panels.openRecords(p.b, gemm.queue());
          gemm.run(p, region, memory, records, null, false, 8);
          gemm.evidence().verifyRecords(p, region, panels, gemm.queue(), got);
          gemm.evidence().verifyA(p, region, true, twin, workspace, got);
          gemm.prediction().compare(p, region, got, () -> {});
        }
        got.assertIs(wanted);
      }
    }
  }

  private static GemmProblem problem(Arena arena, ScalarGemm twin, DType type, int rows) {
    var p = new GemmProblem();
    p.batch = 1;
    p.rows = rows;
    p.columns = COLUMNS;
    p.depth = DEPTH;
    p.alpha = -1.5f;
    p.beta = 0.25f;
    p.verify = true;
    p.a = random(arena, rows * DEPTH);
    p.aStride = 4L * DEPTH;
    var aRange = new Range(0, 1, rows, DEPTH, 0, DEPTH, 1);
    p.aSeals = new SealGrid(aRange);
    p.aSeals.sealAll(p.a);
    var range = new Range(0, 1, DEPTH, COLUMNS, 0, COLUMNS, 1);
    MemorySegment b = random(arena, DEPTH * COLUMNS);
    for (long i = 0; type.isHalf() && i < DEPTH * COLUMNS; i++) {
      float x = b.getAtIndex(ValueLayout.JAVA_FLOAT, i);
      b.setAtIndex(ValueLayout.JAVA_FLOAT, i, type.widen(type.round(x)));
    }
    p.b = new PackedB(PANEL);
    p.b.type(type);
    p.b.allocate(arena, DEPTH, COLUMNS);
    var workspace = twin.newWorkspace();
    for (int block = 0; block < p.b.blocks(); block++) {
      for (int kBlock = 0; kBlock < p.b.kBlocks(); kBlock++) {
        twin.pack(b, range, 0, p.b, block, kBlock, true, workspace);
      }
    }
    p.c = arena.allocate(4L * rows * COLUMNS, 64).fill((byte) -1);
    p.cStride = 4L * COLUMNS;
    p.cSeals = new SealGrid(new Range(0, 1, rows, COLUMNS, 0, COLUMNS, 1));
    p.oldC = random(arena, rows * COLUMNS);
    p.oldCStride = 4L * COLUMNS;
    return p;
  }

  private static MemorySegment random(Arena arena, int floats) {
    var random = new SplittableRandom(floats);
    MemorySegment memory = arena.allocate(4L * floats, 64);
    for (int i = 0; i < floats; i++) {
      memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return memory;
  }
}
