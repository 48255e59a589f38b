package dev.regolith.kernels.machine;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Writes x86-64 machine code: the few instructions that kernels need, after Intel's "64 and IA-32
 * Architectures Software Developer's Manual", volume 2. Vector instructions are encoded with a VEX
 * prefix, or with an EVEX prefix where vectors have 512 bits or there are 32 registers.
 *
 * <p>Operands are in the order of that manual: the destination first. Vector registers are numbers.
 */
public final class Assembler {
  /**
   * {@code [base + scale * index + displacement]}.
   *
   * @param index any register but RSP; null if there is none
   * @param scale 1, 2, 4 or 8
   */
  public record Memory(Gpr base, @Nullable Gpr index, int scale, int displacement) {
    /** {@code [base + displacement]}. */
    public Memory(Gpr base, int displacement) {
      this(base, null, 1, displacement);
    }

    private int indexHigh() {
      return index == null ? 0 : index.high();
    }
  }

  /** A place in the code. */
  public static final class Label {
    private int at = -1;
    private final List<Integer> uses = new ArrayList<>();
  }

  /** When to jump. */
  public enum When {
    /** The last arithmetic gave zero. */
    ZERO(4),
    /** It did not. */
    NOT_ZERO(5),
    /** It gave less than zero. */
    LESS(12),
    /** It did not. */
    NOT_LESS(13),
    /** It gave more than zero. */
    MORE(15);

    private final int code;

    When(int code) {
      this.code = code;
    }
  }

  /** What a function has to leave as it was. */
  private static final List<Gpr> CALLERS =
      List.of(Gpr.RBX, Gpr.RBP, Gpr.R12, Gpr.R13, Gpr.R14, Gpr.R15);

  private static final int OWN_ALIGNMENT = 64;
  private static final int LOOP_ALIGNMENT = 32;

  /** Behind EVEX: lanes that are not in the mask become zero. */
  private static final int ZEROS = 0x80;

  private final boolean evex;
  private final int length;
  private final ByteArrayOutputStream code = new ByteArrayOutputStream();
  private final List<Label> labels = new ArrayList<>();
  private int own;

  /**
   * An empty function.
   *
   * @param bits of a vector: 128, 256 or 512
   * @param evex whether there are 32 vector registers (AVX-512), or 16
   */
  public Assembler(int bits, boolean evex) {
    if (bits == 512 && !evex) {
      throw new IllegalArgumentException("vectors of 512 bits need AVX-512");
    }
    this.evex = evex;
    this.length = lengthOf(bits);
  }

  /** As prefixes encode it. */
  private static int lengthOf(int bits) {
    return Integer.numberOfTrailingZeros(bits / 128);
  }

  /** The code, with all jumps resolved. */
  public byte[] bytes() {
    byte[] bytes = code.toByteArray();
    for (Label label : labels) {
      if (label.at < 0) {
        throw new IllegalStateException("a jump to nowhere");
      }
      for (int use : label.uses) {
        int distance = label.at - (use + 4);
        for (int i = 0; i < 4; i++) {
          bytes[use + i] = (byte) (distance >> (8 * i));
        }
      }
    }
    return bytes;
  }

  // Vectors.

  /** {@code to = op(first, second)}. */
  public void vector(VectorOp op, int to, int first, int second) {
    prefix(op, to, first, second >> 4 & 1, second >> 3 & 1);
    emit(op.opcode, direct(to, second & 7));
  }

  /** {@code to = op(first, memory)}. */
  public void vector(VectorOp op, int to, int first, Memory second) {
    prefix(op, to, first, second.indexHigh(), second.base.high());
    emit(op.opcode);
    memory(to, second);
  }

  /** The same with an immediate. */
  public void vector(VectorOp op, int to, int first, int second, int immediate) {
    vector(op, to, first, second);
    emit(immediate);
  }

  /** The same with an immediate. */
  public void vector(VectorOp op, int to, int first, Memory second, int immediate) {
    vector(op, to, first, second);
    emit(immediate);
  }

  /** {@code vector = 0}. */
  public void zero(int vector) {
    vector(VectorOp.VPXOR, vector, vector, vector);
  }

  /** Loads a vector. */
  public void load(int vector, Memory from) {
    load(VectorOp.VMOVUPS, length, vector, from);
  }

  /** Loads 128 bits, and zeros behind them. */
  public void loadShort(int vector, Memory from) {
    load(VectorOp.VMOVUPS, 0, vector, from);
  }

  /** Loads one float, and zeros into the other lanes. */
  public void loadFloat(int vector, Memory from) {
    load(VectorOp.VMOVSS, 0, vector, from);
  }

  /** Loads one float64, and zeros into the other lanes. */
  public void loadDouble(int vector, Memory from) {
    load(VectorOp.VMOVSD, 0, vector, from);
  }

  // Masks: the lanes that masked instructions read or write. Behind EVEX a mask is one of k1 to k7,
  // a bit for every lane; behind VEX a vector register, the highest bits of whose lanes count.

  /** Loads a mask, from 1 to 7: two bytes. Behind EVEX only. */
  public void mask(int mask, Memory from) {
    requireMask(mask);
    int registers = (from.indexHigh() << 6 | from.base.high() << 5) ^ 0xE0;
    emit(0xC4, registers | VectorOp.MAP_0F, 0x78, 0x90); // kmovw
    memory(mask, from);
  }

  /** Loads the lanes of a mask, and zeros into the others: nothing else is read. */
  public void loadMasked(int mask, int vector, Memory from) {
    if (evex) {
      masked(mask, ZEROS, vector, from);
      emit(VectorOp.VMOVUPS.opcode);
      memory(vector, from);
    } else {
      vector(VectorOp.VMASKMOVPS, vector, mask, from);
    }
  }

  /** Stores the lanes of a mask, and nothing else. */
  public void storeMasked(int mask, Memory to, int vector) {
    if (evex) {
      masked(mask, 0, vector, to);
      emit(VectorOp.VMOVUPS.opcode + 1);
    } else {
      prefix(VectorOp.VMASKMOVPS, vector, mask, to.indexHigh(), to.base.high());
      emit(VectorOp.VMASKMOVPS.opcode + 2);
    }
    memory(vector, to);
  }

  /** Zeros into the lanes that are not in a mask; behind VEX all bits of its lanes count. */
  public void zeroUnmasked(int mask, int vector) {
    if (evex) {
      vectorMasked(mask, VectorOp.VMOVUPS, vector, 0, vector);
    } else {
      vector(VectorOp.VANDPS, vector, vector, mask);
    }
  }

  /** A mask, from 1 to 7, {@code =} lanes of the first that are in a relation to memory. */
  public void compareToMask(int mask, int first, Memory second, int relation) {
    requireMask(mask);
    vector(VectorOp.VCMPPS, mask, first, second, relation);
  }

  /** The same of two vectors. */
  public void compareToMask(int mask, int first, int second, int relation) {
    requireMask(mask);
    vector(VectorOp.VCMPPS, mask, first, second, relation);
  }

  /** {@code to = op(first, second)} in the lanes of such a mask, zeros into the others. */
  public void vectorMasked(int mask, VectorOp op, int to, int first, int second) {
    requireMask(mask);
    evex(op, length, to, first, second >> 4 & 1, second >> 3 & 1, mask | ZEROS);
    emit(op.opcode, direct(to, second & 7));
  }

  private void requireMask(int mask) {
    if (!evex) {
      throw new IllegalStateException("there are no such masks without AVX-512");
    }
    if (mask < 1 || mask > 7) {
      throw new IllegalArgumentException("there is no mask " + mask);
    }
  }

  private void masked(int mask, int others, int vector, Memory memory) {
    requireMask(mask);
    int x = memory.indexHigh();
    int b = memory.base.high();
    evex(VectorOp.VMOVUPS, length, vector, 0, x, b, mask | others);
  }

  /** Stores a vector. */
  public void store(Memory to, int vector) {
    store(VectorOp.VMOVUPS, length, to, vector);
  }

  /** Stores the first float of a vector. */
  public void storeFloat(Memory to, int vector) {
    store(VectorOp.VMOVSS, 0, to, vector);
  }

  /** Stores the first float64 of a vector. */
  public void storeDouble(Memory to, int vector) {
    store(VectorOp.VMOVSD, 0, to, vector);
  }

  /** Brings the upper half of the first so many bits of a vector into the lower half of another. */
  public void upperHalf(int bits, int to, int from) {
    if (bits == 128) {
      vector(VectorOp.VPERMILPS, to, 0, from, 0x4E);
      return;
    }
    var op = bits == 512 ? VectorOp.VEXTRACTF64X4 : VectorOp.VEXTRACTF128;
    prefix(op, lengthOf(bits), from, 0, to >> 4 & 1, to >> 3 & 1);
    emit(op.opcode, direct(from, to & 7), 1);
  }

  /** Loads one float into every lane. */
  public void broadcast(int vector, Memory from) {
    vector(VectorOp.VBROADCASTSS, vector, 0, from);
  }

  /** {@code to = from >>> bits} of 64-bit integers. */
  public void shiftRight(int to, int from, int bits) {
    // vpsrlq with an immediate: the destination is where others have a source.
    prefix(VectorOp.VPADDQ, 0, to, from >> 4 & 1, from >> 3 & 1);
    emit(0x73, direct(2, from & 7), bits);
  }

  /** {@code to = from << bits} of 64-bit integers. */
  public void shiftLeftWide(int to, int from, int bits) {
    prefix(VectorOp.VPADDQ, 0, to, from >> 4 & 1, from >> 3 & 1); // vpsllq
    emit(0x73, direct(6, from & 7), bits);
  }

  /** {@code to = from << bits} of 32-bit integers. */
  public void shiftLeft(int to, int from, int bits) {
    prefix(VectorOp.VPADDD, 0, to, from >> 4 & 1, from >> 3 & 1); // vpslld
    emit(0x72, direct(6, from & 7), bits);
  }

  /** Leaves the upper halves of vector registers clean for code that uses shorter ones. */
  public void zeroUpper() {
    emit(0xC5, 0xF8, 0x77); // vzeroupper
  }

  // General registers, 64 bits wide.

  /** Copies a register. */
  public void move(Gpr to, Gpr from) {
    emit(rex(from.high(), to), 0x89, direct(from.low(), to.low()));
  }

  /** Loads a register. */
  public void move(Gpr to, Memory from) {
    emit(rex(to.high(), from), 0x8B);
    memory(to.low(), from);
  }

  /** Stores a register. */
  public void move(Memory to, Gpr from) {
    emit(rex(from.high(), to), 0x89);
    memory(from.low(), to);
  }

  /** Asks the processor what it is; changes RAX, RBX, RCX and RDX. */
  public void cpuid() {
    emit(0x0F, 0xA2);
  }

  /** {@code to = value}. */
  public void set(Gpr to, int value) {
    emit(0x48 | to.high(), 0xC7, direct(0, to.low()));
    word(value);
  }

  /** {@code to = address}. */
  public void address(Gpr to, Memory address) {
    emit(rex(to.high(), address), 0x8D); // lea
    memory(to.low(), address);
  }

  /** {@code to += value}. */
  public void add(Gpr to, int value) {
    arithmetic(0, to, value);
  }

  /** {@code to += value}. */
  public void add(Gpr to, Gpr value) {
    emit(rex(value.high(), to), 0x01, direct(value.low(), to.low()));
  }

  /** {@code to += value}. */
  public void add(Gpr to, Memory value) {
    emit(rex(to.high(), value), 0x03);
    memory(to.low(), value);
  }

  /** {@code to *= value}. */
  public void multiply(Gpr to, Gpr value) {
    emit(rex(to.high(), value), 0x0F, 0xAF, direct(to.low(), value.low())); // imul
  }

  /** {@code to -= value}. */
  public void subtract(Gpr to, int value) {
    arithmetic(5, to, value);
  }

  /** Puts a register onto the stack. */
  public void push(Gpr register) {
    emit(0x40 | register.high(), 0x50 | register.low());
  }

  /** Takes it back. */
  public void pop(Gpr register) {
    emit(0x40 | register.high(), 0x58 | register.low());
  }

  /** Asks for the cache line of an address: prefetcht0. */
  public void prefetch(Memory address) {
    prefetch(1, address);
  }

  /** Asks for it in the second-level cache: prefetcht1. */
  public void prefetchFurther(Memory address) {
    prefetch(2, address);
  }

  private void prefetch(int hint, Memory address) {
    emit(0x40 | address.indexHigh() << 1 | address.base.high(), 0x0F, 0x18);
    memory(hint, address);
  }

  // Flow.

  /** Binds a label to this place. */
  public void bind(Label label) {
    label.at = code.size();
  }

  /** Jumps. */
  public void jump(Label label) {
    emit(0xE9);
    use(label);
  }

  /** Jumps if a condition of the last addition or subtraction holds. */
  public void jump(When when, Label label) {
    emit(0x0F, 0x80 | when.code);
    use(label);
  }

  private void use(Label label) {
    if (label.uses.isEmpty()) {
      labels.add(label);
    }
    label.uses.add(code.size());
    word(0);
  }

  /** Repeats what {@code body} writes, at least once, until a register has counted down to zero. */
  public void countDown(Gpr left, Runnable body) {
    var again = new Label();
    bind(again);
    body.run();
    subtract(left, 1);
    jump(When.NOT_ZERO, again);
  }

  /**
   * Repeats what {@code body} writes for as many things as a register counts, which may be none: as
   * many at a time as a turn takes, then those that remain, one by one.
   */
  public void inTurns(Gpr left, int most, IntConsumer body) {
    inTurns(left, most, 1, body);
  }

  /** The same, with fewer at a time in between; not one by one before fewer remain than those. */
  public void inTurns(Gpr left, int most, int fewer, IntConsumer body) {
    var done = new Label();
    whileThereAre(left, most, done, body);
    if (fewer > 1 && fewer < most) {
      whileThereAre(left, fewer, done, body);
    }
    countDown(left, () -> body.accept(1));
    bind(done);
  }

  private void whileThereAre(Gpr left, int count, Label none, IntConsumer body) {
    var turns = new Label();
    var rest = new Label();
    subtract(left, count);
    jump(When.LESS, rest);
    align(LOOP_ALIGNMENT);
    bind(turns);
    body.accept(count);
    subtract(left, count);
    jump(When.NOT_LESS, turns);
    bind(rest);
    add(left, count);
    jump(When.ZERO, none);
  }

  /** Pads with instructions that do nothing, so that what follows starts at such a multiple. */
  public void align(int multiple) {
    while (code.size() % multiple != 0) {
      emit(0x90);
    }
  }

  /** Returns to the caller. */
  public void ret() {
    emit(0xC3);
  }

  // Functions of the System V calling convention: six parameters come in RDI, RSI, RDX, RCX, R8 and
  // R9, more of them on the stack.

  /** Starts a function that may change all general registers but RSP. */
  public void enter() {
    enter(0);
  }

  /** The same for one that has so many bytes of its own on the stack, as much as a few pages. */
  public void enter(int bytes) {
    for (Gpr register : CALLERS) {
      push(register);
    }
    if (bytes > 0) {
      own = bytes + OWN_ALIGNMENT;
      subtract(Gpr.RSP, own);
    }
  }

  /** {@code to =} where the function's own bytes on the stack start, a multiple of 64. */
  public void own(Gpr to) {
    address(to, new Memory(Gpr.RSP, OWN_ALIGNMENT - 1));
    arithmetic(4, to, -OWN_ALIGNMENT); // and
  }

  /** A parameter after the sixth, counted from 0, in a function that has been entered. */
  public Memory parameter(int index) {
    return new Memory(Gpr.RSP, own + 8 * (CALLERS.size() + 1 + index));
  }

  /** Ends a function that was entered. */
  public void leave() {
    zeroUpper();
    if (own > 0) {
      add(Gpr.RSP, own);
    }
    for (Gpr register : CALLERS.reversed()) {
      pop(register);
    }
    ret();
  }

  private void arithmetic(int operation, Gpr to, int value) {
    boolean small = value == (byte) value;
    emit(0x48 | to.high(), small ? 0x83 : 0x81, direct(operation, to.low()));
    if (small) {
      emit(value);
    } else {
      word(value);
    }
  }

  private void load(VectorOp op, int width, int vector, Memory from) {
    prefix(op, width, vector, 0, from.indexHigh(), from.base.high());
    emit(op.opcode);
    memory(vector, from);
  }

  private void store(VectorOp op, int width, Memory to, int vector) {
    prefix(op, width, vector, 0, to.indexHigh(), to.base.high());
    emit(op.opcode + 1);
    memory(vector, to);
  }

  private void prefix(VectorOp op, int register, int first, int x, int b) {
    prefix(op, length, register, first, x, b);
  }

  /** The prefix of a vector instruction; bits of register numbers are in it inverted. */
  private void prefix(VectorOp op, int width, int register, int first, int x, int b) {
    if (evex) {
      evex(op, width, register, first, x, b, 0);
    } else {
      emit(0xC4, registers(register, x, b) | op.map, source(op, first) | width << 2);
    }
  }

  /** The longer one, with a mask and what becomes of the other lanes. */
  private void evex(VectorOp op, int width, int register, int first, int x, int b, int mask) {
    int registers = registers(register, x, b) | (~register >> 4 & 1) << 4;
    emit(0x62, registers | op.map, op.wide << 7 | source(op, first) | 4);
    emit(width << 5 | (~first >> 4 & 1) << 3 | mask);
  }

  private static int registers(int register, int x, int b) {
    return ((register >> 3 & 1) << 7 | x << 6 | b << 5) ^ 0xE0;
  }

  private static int source(VectorOp op, int first) {
    return (~first & 15) << 3 | op.prefix;
  }

  private static int rex(int register, Gpr base) {
    return 0x48 | register << 2 | base.high();
  }

  private static int rex(int register, Memory memory) {
    return rex(register, memory.base) | memory.indexHigh() << 1;
  }

  private static int direct(int register, int second) {
    return 0xC0 | (register & 7) << 3 | second;
  }

  /** The operand behind an opcode. Behind EVEX, a displacement of 8 bits would be scaled. */
  private void memory(int register, Memory memory) {
    int base = memory.base.low();
    int displacement = memory.displacement;
    boolean none = displacement == 0 && base != Gpr.RBP.low();
    boolean small = (!evex || displacement == 0) && displacement == (byte) displacement;
    int mode = none ? 0 : small ? 0x40 : 0x80;
    Gpr index = memory.index;
    boolean second = index != null || base == Gpr.RSP.low();
    emit(mode | (register & 7) << 3 | (second ? Gpr.RSP.low() : base));
    if (second) {
      int scale = Integer.numberOfTrailingZeros(memory.scale);
      int noIndex = Gpr.RSP.low(); // as an index, says that there is none
      emit(scale << 6 | (index == null ? noIndex : index.low()) << 3 | base);
    }
    if (!none && small) {
      emit(displacement);
    } else if (!none) {
      word(displacement);
    }
  }

  private void word(int value) {
    emit(value, value >> 8, value >> 16, value >> 24);
  }

  private void emit(int... bytes) {
    for (int each : bytes) {
      code.write(each);
    }
  }
}
