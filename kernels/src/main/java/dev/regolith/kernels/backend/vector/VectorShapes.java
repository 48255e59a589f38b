package dev.regolith.kernels.backend.vector;

import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.MachineCode;
import dev.regolith.kernels.machine.Processor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The one vector width this JVM computes with, and the tile that goes with it.
 *
 * <p>The species are {@code static final}, because a species the JIT cannot see as a constant boxes
 * every vector. The width is the machine's preferred one; {@code
 * -Ddev.regolith.kernels.vectorBits=128|256|512} asks for a narrower one, so that one machine tests
 * them all (a wider one than the machine has is clamped).
 */
final class VectorShapes {
  static final String BITS_PROPERTY = "dev.regolith.kernels.vectorBits";

  private static final int MACHINE_BITS =
      Math.min(512, FloatVector.SPECIES_PREFERRED.vectorBitSize());
  private static final int BITS =
      Math.max(128, Math.min(MACHINE_BITS, Integer.getInteger(BITS_PROPERTY, MACHINE_BITS)));

  /** Whether there are 32 vector registers: with AVX-512, and on AArch64. */
  static final boolean THIRTY_TWO_REGISTERS =
      MACHINE_BITS >= 512 || System.getProperty("os.arch").equals("aarch64");

  /**
   * Whether machine code would serve: where the JVM itself computes with the long vectors of AVX,
   * so that the system keeps their registers.
   */
  private static final boolean MACHINE_CODE_SERVES =
      MACHINE_BITS >= 256 && !MachineCode.isDeclined();

  /**
   * Whether kernels are in machine code, unless {@code -Ddev.regolith.kernels.machineCode=off}
   * declines it.
   */
  static final boolean MACHINE_CODE =
      MACHINE_CODE_SERVES && MachineCode.absence().isEmpty() && hasInstructions();

  /** Why they are not, where that could be changed. */
  static final String DENIED =
      MACHINE_CODE_SERVES && MachineCode.isDenied() ? MachineCode.absence() : "";

  static final VectorSpecies<Float> FLOATS =
      switch (BITS) {
        case 512 -> FloatVector.SPECIES_512;
        case 256 -> FloatVector.SPECIES_256;
        default -> FloatVector.SPECIES_128;
      };

  /** Half as many floats: what widens to one vector of doubles. */
  static final VectorSpecies<Float> HALVES =
      switch (BITS) {
        case 512 -> FloatVector.SPECIES_256;
        case 256 -> FloatVector.SPECIES_128;
        default -> FloatVector.SPECIES_64;
      };

  /** What a kernel reads of memory that it only brings near. */
  static final VectorSpecies<Float> TOUCHES = FloatVector.SPECIES_128;

  static final VectorSpecies<Double> DOUBLES = FLOATS.withLanes(double.class);
  static final VectorSpecies<Long> LONGS = FLOATS.withLanes(long.class);

  static final VectorSpecies<Integer> INTS = FLOATS.withLanes(int.class);

  /** Floats in a vector. */
  static final int LANES = FLOATS.length();

  /** Doubles, or longs, in a vector. */
  static final int WIDE_LANES = DOUBLES.length();

  /** Vector registers. */
  static final int REGISTERS = THIRTY_TWO_REGISTERS ? 32 : 16;

  /** Columns of a register tile: two vectors. */
  static final int TILE_COLUMNS = 2 * LANES;

  /**
   * Most rows of a register tile. Where there are 32 registers and a compiler assigns them, two
   * accumulators and one broadcast for each row, two vectors of B and one of touched words fit
   * whatever order it chooses: with 12 rows it spilled an accumulator in every other launch, at a
   * quarter of the speed. Where there are 16, six rows are twelve accumulators, two vectors of B
   * and two broadcasts: that fits as long as nothing else is in the loop (docs/decisions.md).
   */
  static final int TILE_ROWS = THIRTY_TWO_REGISTERS ? MACHINE_CODE ? 12 : 9 : 6;

  /**
   * Most rows of a tile whose kernel also sums the panel's words up, in registers that the
   * accumulators leave free.
   */
  static final int CHECKING_ROWS =
      THIRTY_TWO_REGISTERS ? MACHINE_CODE ? TILE_ROWS : 6 : MACHINE_CODE ? 5 : 4;

  /**
   * Steps along k in one turn of a bytecode kernel's loop. With vectors of 256 bits and less, the
   * loop's own instructions would take as long as the multiply-adds of one step.
   */
  static final int UNROLL = THIRTY_TWO_REGISTERS ? 1 : 2;

  /**
   * Most rows of a tile whose kernel touches what is needed soon: Java has no prefetch. With 16
   * registers higher ones would spill.
   */
  static final int TOUCHING_ROWS = THIRTY_TWO_REGISTERS ? TILE_ROWS : 3;

  /** Floats in a register tile. */
  static final int TILE = TILE_ROWS * TILE_COLUMNS;

  static final ByteOrder ORDER = ByteOrder.nativeOrder();

  /** The class of native segments. */
  static final Class<? extends MemorySegment> NATIVE = MemorySegment.NULL.getClass();

  /** Whether the processor is one of AMD's, where kernels are machine code. */
  static final boolean IS_AMD = MACHINE_CODE && Processor.isAmd();

  private VectorShapes() {}

  /**
   * The same segment, of which the compiler now knows that it is native. It would otherwise guess
   * from what all users of segments in this JVM have done, and leave checks in our loops where they
   * used several kinds.
   */
  static MemorySegment known(MemorySegment segment) {
    return NATIVE.cast(segment);
  }

  /**
   * Asks for the cache line of an address, which comes from memory. On AMD it is asked for in the
   * second-level cache: the first level waits for few lines at a time, and what it waits for as
   * long as memory takes keeps what is read from being asked for (measured; docs/decisions.md).
   */
  static void ask(Assembler code, Assembler.Memory address) {
    if (IS_AMD) {
      code.prefetchFurther(address);
    } else {
      code.prefetch(address);
    }
  }

  /** What writes machine code for this width. */
  static Assembler assembler() {
    return new Assembler(BITS, THIRTY_TWO_REGISTERS);
  }

  private static boolean hasInstructions() {
    return THIRTY_TWO_REGISTERS ? Processor.hasAvx512() : Processor.hasAvx2AndFma();
  }
}
