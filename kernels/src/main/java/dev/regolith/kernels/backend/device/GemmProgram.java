package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.tensor.DType;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The compiled kernels of products, for one tile: for panels of float32, and for panels of 16 bits,
 * which are widened as they are read, when such are met. Thread-safe.
 */
final class GemmProgram implements Parts.Part {
  private static final String PANELS = " -DPANEL_TYPE=";

  private final DeviceContext context;
  private final GemmTile tile;
  private final int panelColumns;
  private final Map<DType, @Nullable KernelProgram> programs = new EnumMap<>(DType.class);
  private final KernelProgram ofFloats;

  /** Compiles what panels of float32 need. */
  GemmProgram(DeviceContext context, GemmTile tile, int panelColumns) {
    this.context = context;
    this.tile = tile;
    this.panelColumns = panelColumns;
    ofFloats = compile(DType.FLOAT32);
    programs.put(DType.FLOAT32, ofFloats);
  }

  private KernelProgram compile(DType panels) {
    int type =
        switch (panels) {
          case BFLOAT16 -> 1;
          case FLOAT16 -> 2;
          default -> 0;
        };
    return new KernelProgram(context, KernelProgram.GEMM, tile, panelColumns, PANELS + type);
  }

  GemmTile tile() {
    return tile;
  }

  /** A kernel, with arguments of its own, that has nothing to do with panels. */
  DeviceKernel newKernel(String name) {
    return ofFloats.newKernel(name);
  }

  /**
   * A kernel that reads panels.
   *
   * @param panels of what {@link #takes} says is taken
   */
  synchronized DeviceKernel newKernel(String name, DType panels) {
    KernelProgram program = programs.get(panels);
    if (program == null) {
      throw new IllegalArgumentException("no kernels were compiled for panels of " + panels);
    }
    return program.newKernel(name);
  }

  /**
   * Whether there are kernels for panels of a type that give the right bits; compiles them, if they
   * are asked for the first time.
   *
   * @param announce told why not, once
   */
  synchronized boolean takes(DType panels, Consumer<String> announce) {
    if (!programs.containsKey(panels)) {
      programs.put(panels, null);
      String absence = open(panels);
      if (!absence.isEmpty()) {
        announce.accept("%s; weights of %s lie there as FLOAT32".formatted(absence, panels));
      }
    }
    return programs.get(panels) != null;
  }

  /** Compiles kernels and looks at their bits; why that did not work, or nothing. */
  private String open(DType panels) {
    KernelProgram program = null;
    boolean right = false;
    try (var sample = SampleProduct.unaligned(panelColumns, panels, 1)) {
      program = compile(panels);
      programs.put(panels, program); // for the sample
      right = sample.isRight(context, this);
      return right ? "" : "its products of %s have other bits".formatted(panels);
    } catch (DeviceException e) {
      if (e.isFatal()) {
        throw e;
      }
      return String.valueOf(e.getMessage());
    } finally {
      if (!right) {
        programs.put(panels, null);
        if (program != null) {
          program.close();
        }
      }
    }
  }

  /** In what type the device is to have a packed matrix. */
  DType typeOf(PackedB b, Consumer<String> announce) {
    return takes(b.type(), announce) ? b.type() : DType.FLOAT32;
  }

  @Override
  public synchronized void close() {
    for (KernelProgram program : programs.values()) {
      if (program != null) {
        program.close();
      }
    }
    programs.clear();
  }
}
