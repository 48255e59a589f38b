package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.tensor.DType;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The compiled kernels of products, for one tile: for panels as the host has them, and for panels
 * of other {@linkplain PanelForm forms} when such are met. Thread-safe.
 */
final class GemmProgram implements Parts.Part {
  private final DeviceContext context;
  private final GemmTile tile;
  private final int panelColumns;
  private final Map<PanelForm, @Nullable KernelProgram> programs = new HashMap<>();
  private final KernelProgram ofHostForm;

  /** Compiles what panels as the host has them need. */
  GemmProgram(DeviceContext context, GemmTile tile, int panelColumns) {
    this.context = context;
    this.tile = tile;
    this.panelColumns = panelColumns;
    ofHostForm = compile(PanelForm.OF_HOST);
    programs.put(PanelForm.OF_HOST, ofHostForm);
  }

  private KernelProgram compile(PanelForm form) {
    int type =
        switch (form.type()) {
          case BFLOAT16 -> 1;
          case FLOAT16 -> 2;
          default -> 0;
        };
    String options = " -DPANEL_TYPE=%d -DIN_ROWS=%d".formatted(type, form.inRows() ? 1 : 0);
    return new KernelProgram(context, KernelProgram.GEMM, tile, panelColumns, options);
  }

  GemmTile tile() {
    return tile;
  }

  int panelColumns() {
    return panelColumns;
  }

  /** A kernel, with arguments of its own, that has nothing to do with panels. */
  DeviceKernel newKernel(String name) {
    return ofHostForm.newKernel(name);
  }

  /**
   * A kernel that reads panels.
   *
   * @param form that {@link #takes} says is taken
   */
  synchronized DeviceKernel newKernel(String name, PanelForm form) {
    KernelProgram program = programs.get(form);
    if (program == null) {
      throw new IllegalArgumentException("no kernels were compiled for panels of " + form);
    }
    return program.newKernel(name);
  }

  /**
   * Whether there are kernels for panels of a form that give the right bits; compiles them, if they
   * are asked for the first time.
   *
   * @param announce told why not, once
   */
  synchronized boolean takes(PanelForm form, Consumer<String> announce) {
    if (!programs.containsKey(form)) {
      KernelProgram opened = null;
      try {
        opened =
            Trial.open(
                    () -> {
                      KernelProgram program = compile(form);
                      programs.put(form, program); // for the sample
                      return program;
                    },
                    KernelProgram::question,
                    program -> isRight(form, 1),
                    "products of %s have other bits".formatted(form),
                    "packed operands do not lie there as " + form,
                    announce)
                .orElse(null);
      } finally {
        programs.put(form, opened);
      }
    }
    return programs.get(form) != null;
  }

  /**
   * Whether panels as the host has them give the right bits, also, if the device promises them,
   * where results are subnormal.
   */
  boolean hasRightBits() {
    boolean flushes = context.device().lacks().contains(DeviceInfo.Lack.SUBNORMALS);
    return Trial.passes(
        ofHostForm.question(),
        () -> isRight(PanelForm.OF_HOST, 1) && (flushes || isRight(PanelForm.OF_HOST, 0x1p-130f)));
  }

  private boolean isRight(PanelForm form, float scale) {
    try (var sample = SampleProduct.unaligned(panelColumns, form.type(), scale)) {
      return sample.isRight(context, this, form);
    }
  }

  /**
   * In what form the device is to have a packed matrix: in as few bits as can be.
   *
   * @param inRows whether one of float32 is to lie in rows, which {@link #takes} has to take
   */
  PanelForm formOf(PackedB b, boolean inRows, Consumer<String> announce) {
    if (!b.type().isHalf()) {
      return new PanelForm(DType.FLOAT32, inRows);
    }
    var form = new PanelForm(b.type(), false);
    boolean allowed = context.allows(Experiment.HALVES);
    return allowed && takes(form, announce) ? form : PanelForm.OF_HOST;
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
