package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.Residence.Outcome;
import dev.regolith.kernels.backend.ResidentRows;
import dev.regolith.kernels.backend.ResidentRows.Operand;
import dev.regolith.kernels.backend.RowKernels;
import dev.regolith.kernels.backend.RowOperator;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.memory.Storage;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One thread's row operators on the device, from words that are there to words that stay there.
 *
 * <p>Rows are computed twice, into different memory and by other work-groups the second time. What
 * lies in memory then is summed up, both results and every input; the sums come to the host, which
 * compares the results with each other and the inputs with their seals. One row it computes as
 * well. The first result becomes the tensor's, under these sums, when all agree; until then nothing
 * is changed.
 */
final class DeviceRows implements DeviceWorkspace.Queued {
  private static final long CENTRED = 1;
  private static final long OF_SUM = 2;
  private static final long BIASED = 4;

  private final Parts parts = new Parts();
  private final int items;
  private final DeviceQueue queue;
  private final DeviceKernel softmax;
  private final DeviceKernel norm;
  private final DeviceKernel rotate;
  private final DeviceKernel map;
  private final MatrixScan scan;
  private final SampledRow sampled;

  DeviceRows(DeviceContext context, RowsProgram program, RowKernels host) {
    items = program.items();
    try {
      queue = parts.add(new DeviceQueue(context));
      softmax = parts.add(program.kernels().newKernel("softmax_rows"));
      norm = parts.add(program.kernels().newKernel("norm_rows"));
      rotate = parts.add(program.kernels().newKernel("rotate_rows"));
      map = parts.add(program.kernels().newKernel("map_rows"));
      scan = parts.add(new MatrixScan(context, program.products(), queue));
      DeviceKernel sampling = parts.add(program.kernels().newKernel("sample_row"));
      sampled = parts.add(new SampledRow(context, sampling, host));
    } catch (RuntimeException e) {
      parts.close();
      throw e;
    }
  }

  @Override
  public DeviceQueue queue() {
    return queue;
  }

  /** What a call reads on the device, kept there as long as it does. */
  private static final class Inputs {
    private final DeviceResidence residence;
    private final List<DeviceWords> taken = new ArrayList<>();
    private boolean complete = true;
    @Nullable DeviceObject x;
    @Nullable DeviceObject y;
    @Nullable DeviceObject weight;
    @Nullable DeviceObject bias;

    Inputs(DeviceResidence residence) {
      this.residence = residence;
    }

    void take(ResidentRows r) {
      x = take(r.x);
      y = take(r.y);
      weight = take(r.weight);
      bias = take(r.bias);
    }

    private @Nullable DeviceObject take(Operand operand) {
      DeviceWords words = residence.take(operand.storage());
      if (words == null) {
        complete &= operand.storage() == null;
        return null;
      }
      taken.add(words);
      return words.buffer();
    }

    /** Whether nobody has had any of them brought back meanwhile. */
    boolean areThere() {
      return complete && x != null;
    }

    DeviceObject first() {
      return Objects.requireNonNull(x);
    }

    void giveBack() {
      taken.forEach(DeviceWords::giveBack);
    }
  }

  /**
   * Computes rows.
   *
   * @param launch a number that no other launch has had
   */
  Outcome run(ResidentRows r, DeviceResidence residence, long launch) {
    var inputs = new Inputs(residence);
    try {
      inputs.take(r);
      return inputs.areThere() ? compute(r, inputs, residence, launch) : Outcome.DECLINED;
    } finally {
      inputs.giveBack();
    }
  }

  private Outcome compute(ResidentRows r, Inputs in, DeviceResidence residence, long launch) {
    Storage target = Objects.requireNonNull(r.out.storage());
    Storage targetOfSum = r.sum.storage();
    DeviceWords out = residence.reserve(target);
    DeviceWords sum = null;
    DeviceMemory outAgain = null;
    DeviceMemory sumAgain = null;
    Outcome outcome = Outcome.DIFFERS;
    try {
      sum = targetOfSum == null ? null : residence.reserve(targetOfSum);
      DeviceObject sumMemory = sum == null ? out.buffer() : sum.buffer();
      probeInputs(r, in);
      compute(r, in, out.buffer(), sumMemory, false);
      probe(ProbePoint.ROW_STORED, r.out, out.buffer());
      probe(ProbePoint.ROW_STORED, r.sum, sumMemory);
      if (!r.verify) {
        queue.finish();
        outcome = Outcome.DONE;
      } else {
        outAgain = residence.takeScratch(target.place().byteSize());
        sumAgain = residence.takeScratch(targetOfSum == null ? 64 : sizeOf(targetOfSum));
        compute(r, in, outAgain.object(), sumAgain.object(), true);
        probe(ProbePoint.ROW_REPEATED, r.out, outAgain.object());
        outcome = verify(r, in, out, sum, outAgain, sumAgain, launch);
      }
      if (outcome == Outcome.DONE) {
        keep(target, out, r.out);
        if (targetOfSum != null && sum != null) {
          keep(targetOfSum, sum, r.sum);
        }
      }
      return outcome;
    } finally {
      try {
        if (outcome != Outcome.DONE) {
          queue.finish(); // before others get the memory
        }
      } finally {
        if (outcome != Outcome.DONE) {
          out.release();
          if (sum != null) {
            sum.release();
          }
        }
        giveBack(outAgain, residence);
        giveBack(sumAgain, residence);
      }
    }
  }

  /** Makes words a tensor's; who has their seals puts them in force afterwards. */
  private static void keep(Storage storage, DeviceWords words, ResidentRows.Operand operand) {
    SealGrid seals = operand.seals();
    if (seals != null) {
      seals.inForce(false); // as all that are of the words before
    }
    words.keepFor(storage, true);
  }

  private static void giveBack(@Nullable DeviceMemory memory, DeviceResidence residence) {
    if (memory != null) {
      residence.giveBack(memory);
    }
  }

  private static long sizeOf(Storage storage) {
    return storage.place().byteSize();
  }

  private void compute(
      ResidentRows r, Inputs in, DeviceObject out, DeviceObject sum, boolean again) {
    // The second time, a work-group has the row that another one had.
    long last = again ? r.rows - 1 : 0;
    DeviceKernel kernel =
        switch (r.operator) {
          case SOFTMAX ->
              softmax
                  .open()
                  .buffer(in.first())
                  .buffer(out)
                  .number(r.columns)
                  .real(r.scalar)
                  .number(last);
          case RMS_NORM, LAYER_NORM -> norm(r, in, out, sum).number(last);
          case ROPE_INTERLEAVED, ROPE_HALVES -> rotate(r, in, out).number(last);
          case SILU, GELU, GELU_TANH, ADD -> map(r, in, out).number(last);
        };
    var point = again ? ProbePoint.DEVICE_EVIDENCE : ProbePoint.DEVICE_LAUNCH;
    queue.run(point, kernel, r.rows, 1, items);
  }

  private DeviceKernel norm(ResidentRows r, Inputs in, DeviceObject out, DeviceObject sum) {
    long flags = r.operator == RowOperator.LAYER_NORM ? CENTRED : 0;
    flags |= in.y == null ? 0 : OF_SUM;
    flags |= in.bias == null ? 0 : BIASED;
    DeviceObject weight = Objects.requireNonNull(in.weight);
    return norm.open()
        .buffer(in.first())
        .buffer(in.y == null ? in.first() : in.y)
        .buffer(weight)
        .buffer(in.bias == null ? weight : in.bias)
        .buffer(sum)
        .buffer(out)
        .number(r.columns)
        .real(r.scalar)
        .number(flags);
  }

  private DeviceKernel rotate(ResidentRows r, Inputs in, DeviceObject out) {
    boolean neighbours = r.operator == RowOperator.ROPE_INTERLEAVED;
    return rotate
        .open()
        .buffer(in.first())
        .buffer(Objects.requireNonNull(in.weight))
        .buffer(Objects.requireNonNull(in.bias))
        .buffer(out)
        .number(r.columns)
        .number(r.pairs)
        .number(neighbours ? 2 : 1)
        .number(neighbours ? 1 : r.pairs)
        .number(r.first)
        .number(r.together)
        .number(r.positions);
  }

  private DeviceKernel map(ResidentRows r, Inputs in, DeviceObject out) {
    long which =
        switch (r.operator) {
          case SILU -> 0;
          case GELU -> 1;
          case GELU_TANH -> 2;
          default -> 3;
        };
    return map.open()
        .buffer(in.first())
        .buffer(in.y == null ? in.first() : in.y)
        .buffer(out)
        .number(r.columns)
        .number(which)
        .number(in.y == null ? 0 : 1);
  }

  // ------------------------------------------------------------------------------ verification

  /** Has everything summed up after its last use, and compares the sums on the host. */
  private Outcome verify(
      ResidentRows r,
      Inputs in,
      DeviceWords out,
      @Nullable DeviceWords sum,
      DeviceMemory outAgain,
      DeviceMemory sumAgain,
      long launch) {
    long ofOut = r.out.blocks();
    long ofSum = r.sum.blocks();
    long ofX = 2 * (ofOut + ofSum);
    long ofY = ofX + r.x.blocks();
    long ofWeight = ofY + r.y.blocks();
    long ofBias = ofWeight + r.weight.blocks();
    scan.open(ofBias + r.bias.blocks(), launch);
    scan.run(out.buffer(), r.out.range(), 0);
    scan.run(outAgain.object(), r.out.range(), ofOut);
    if (sum != null) {
      scan.run(sum.buffer(), r.sum.range(), 2 * ofOut);
      scan.run(sumAgain.object(), r.sum.range(), 2 * ofOut + ofSum);
    }
    scanInput(r.x, in.x, ofX);
    scanInput(r.y, in.y, ofY);
    scanInput(r.weight, in.weight, ofWeight);
    scanInput(r.bias, in.bias, ofBias);
    sample(r, in, out, sum, launch);
    DeviceSums sums = scan.download();
    boolean intact =
        isIntact(sums, r.x, ofX)
            && isIntact(sums, r.y, ofY)
            && isIntact(sums, r.weight, ofWeight)
            && isIntact(sums, r.bias, ofBias);
    if (!intact) {
      return Outcome.INPUT_DIFFERS;
    }
    boolean same =
        sums.areSame(0, ofOut, ofOut) && sums.areSame(2 * ofOut, 2 * ofOut + ofSum, ofSum);
    if (!same || !sampled.agrees(r)) {
      return Outcome.DIFFERS;
    }
    seal(sums, r.out, 0);
    seal(sums, r.sum, 2 * ofOut);
    return Outcome.DONE;
  }

  private void sample(
      ResidentRows r, Inputs in, DeviceWords out, @Nullable DeviceWords sum, long launch) {
    DeviceObject x = in.first();
    sampled
        .open()
        .buffer(x)
        .buffer(in.y == null ? x : in.y)
        .buffer(in.weight == null ? x : in.weight)
        .buffer(in.bias == null ? x : in.bias)
        .buffer(out.buffer())
        .buffer(sum == null ? x : sum.buffer());
    sampled.take(r, queue, launch, items);
  }

  private void scanInput(Operand operand, @Nullable DeviceObject words, long place) {
    if (words != null) {
      probe(ProbePoint.ROW_INPUT_LAST_USE, operand, words);
      scan.run(words, operand.range(), operand.firstBlock(), operand.blocks(), place);
    }
  }

  private static boolean isIntact(DeviceSums sums, Operand operand, long place) {
    SealGrid seals = operand.seals();
    if (Probe.ON && seals != null) {
      int at = (int) (Seal.SUMS * operand.firstBlock());
      Probe.reach(
          ProbePoint.ROW_INPUT_SEAL, seals.sums(), at, (int) (Seal.SUMS * operand.blocks()));
    }
    boolean intact = true;
    for (long i = 0; seals != null && i < operand.blocks(); i++) {
      intact &= sums.isSealed(seals.sums(), operand.firstBlock() + i, place + i);
    }
    return intact;
  }

  private static void seal(DeviceSums sums, Operand operand, long place) {
    SealGrid seals = operand.seals();
    for (long block = 0; seals != null && block < operand.blocks(); block++) {
      sums.seal(seals.sums(), block, place + block);
    }
  }

  private void probeInputs(ResidentRows r, Inputs in) {
    probe(ProbePoint.ROW_INPUT_READ, r.x, in.x);
    probe(ProbePoint.ROW_INPUT_READ, r.y, in.y);
    probe(ProbePoint.ROW_INPUT_READ, r.weight, in.weight);
    probe(ProbePoint.ROW_INPUT_READ, r.bias, in.bias);
  }

  private void probe(ProbePoint point, Operand operand, @Nullable DeviceObject words) {
    if (Probe.ON && words != null && operand.storage() != null) {
      queue.probe(point, words, 0, 4 * operand.range().size());
    }
  }

  @Override
  public void close() {
    parts.close();
  }
}
