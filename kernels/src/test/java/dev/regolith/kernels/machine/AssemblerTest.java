package dev.regolith.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.machine.Assembler.Label;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Assembler.When;
import java.util.HexFormat;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvFileSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every instruction is encoded as another assembler encodes it. */
@Tag("once")
class AssemblerTest {
  private static final Pattern ADDRESS =
      Pattern.compile("\\[(\\w+)(?:\\+(\\w+)\\*(\\d))?(?:([+-]+\\d+))?]");

  @ParameterizedTest(name = "{2}, {0} bits {1}")
  @CsvFileSource(resources = "instructions.csv", delimiter = ';')
  void bytesAreThoseOfAnotherAssembler(
      int bits, @Nullable String prefix, String instruction, String bytes) {
    var assembler = new Assembler(bits, prefix != null);
    write(assembler, bits, instruction);
    assertThat(HexFormat.of().formatHex(assembler.bytes())).isEqualTo(bytes);
  }

  /** Calls the assembler for an instruction in Intel's syntax. */
  private static void write(Assembler a, int bits, String instruction) {
    String[] words = instruction.split("[ ,]+", -1);
    switch (words[0]) {
      case "vzeroupper" -> a.zeroUpper();
      case "cpuid" -> a.cpuid();
      case "ret" -> a.ret();
      case "push" -> a.push(gpr(words[1]));
      case "pop" -> a.pop(gpr(words[1]));
      case "prefetcht0" -> a.prefetch(memory(words[1]));
      case "prefetcht1" -> a.prefetchFurther(memory(words[1]));
      case "lea" -> a.address(gpr(words[1]), memory(words[2]));
      case "sub" -> a.subtract(gpr(words[1]), Integer.parseInt(words[2]));
      case "imul" -> a.multiply(gpr(words[1]), gpr(words[2]));
      case "mov" -> {
        if (words[1].startsWith("[")) {
          a.move(memory(words[1]), gpr(words[2]));
        } else if (words[2].startsWith("[")) {
          a.move(gpr(words[1]), memory(words[2]));
        } else if (!words[2].startsWith("r")) {
          a.set(gpr(words[1]), Integer.parseInt(words[2]));
        } else {
          a.move(gpr(words[1]), gpr(words[2]));
        }
      }
      case "add" -> {
        if (words[2].startsWith("[")) {
          a.add(gpr(words[1]), memory(words[2]));
        } else if (words[2].startsWith("r")) {
          a.add(gpr(words[1]), gpr(words[2]));
        } else {
          a.add(gpr(words[1]), Integer.parseInt(words[2]));
        }
      }
      case "vcmpps" -> {
        int relation = Integer.parseInt(words[4]);
        int first = vector(words[2]);
        if (!words[1].startsWith("k")) {
          writeThree(a, words);
        } else if (words[3].startsWith("[")) {
          a.compareToMask(mask(words[1]), first, memory(words[3]), relation);
        } else {
          a.compareToMask(mask(words[1]), first, vector(words[3]), relation);
        }
      }
      case "kmovw" -> {
        a.mask(mask(words[1]), memory(words[2]));
      }
      case "vmovups" -> {
        if (words[1].endsWith("]{k1}")) {
          a.storeMasked(1, memory(words[1].replace("{k1}", "")), vector(words[2]));
        } else if (words[1].endsWith("{k1}{z}")) {
          int vector = vector(words[1].replace("{k1}{z}", ""));
          if (words[2].startsWith("[")) {
            a.loadMasked(1, vector, memory(words[2]));
          } else {
            a.zeroUnmasked(1, vector); // one register, to itself
          }
        } else if (words[1].endsWith("{z}")) {
          String[] to = words[1].split("[{}]+", -1);
          a.loadMasked(mask(to[1]), vector(to[0]), memory(words[2]));
        } else if (words[1].startsWith("[")) {
          a.store(memory(words[1]), vector(words[2]));
        } else if (words[1].startsWith("x") && bits > 128) {
          a.loadShort(vector(words[1]), memory(words[2]));
        } else {
          a.load(vector(words[1]), memory(words[2]));
        }
      }
      case "vmaskmovps" -> {
        if (words[1].startsWith("[")) {
          a.storeMasked(vector(words[2]), memory(words[1]), vector(words[3]));
        } else {
          a.loadMasked(vector(words[2]), vector(words[1]), memory(words[3]));
        }
      }
      case "vbroadcastss" -> a.broadcast(vector(words[1]), memory(words[2]));
      case "vpsrlq" -> a.shiftRight(vector(words[1]), vector(words[2]), Integer.parseInt(words[3]));
      case "vpsllq" ->
          a.shiftLeftWide(vector(words[1]), vector(words[2]), Integer.parseInt(words[3]));
      case "vpslld" -> a.shiftLeft(vector(words[1]), vector(words[2]), Integer.parseInt(words[3]));
      case "vmovss" -> {
        if (words[1].startsWith("[")) {
          a.storeFloat(memory(words[1]), vector(words[2]));
        } else {
          a.loadFloat(vector(words[1]), memory(words[2]));
        }
      }
      case "vmovsd" -> {
        if (words[1].startsWith("[")) {
          a.storeDouble(memory(words[1]), vector(words[2]));
        } else {
          a.loadDouble(vector(words[1]), memory(words[2]));
        }
      }
      case "vcvtps2pd" -> {
        if (words[2].startsWith("[")) {
          a.vector(VectorOp.VCVTPS2PD, vector(words[1]), 0, memory(words[2]));
        } else {
          a.vector(VectorOp.VCVTPS2PD, vector(words[1]), 0, vector(words[2]));
        }
      }
      case "vextractf64x4", "vextractf32x4", "vextractf128" ->
          a.upperHalf(words[2].startsWith("z") ? 512 : 256, vector(words[1]), vector(words[2]));
      case "vpermilps" -> {
        int to = vector(words[1]);
        int immediate = Integer.parseInt(words[3]);
        if (words[2].startsWith("[")) {
          a.vector(VectorOp.VPERMILPS, to, 0, memory(words[2]), immediate);
        } else {
          a.vector(VectorOp.VPERMILPS, to, 0, vector(words[2]), immediate);
        }
      }
      default -> writeThree(a, words);
    }
  }

  private static void writeThree(Assembler a, String[] words) {
    // Behind EVEX, bits are combined in elements of a size.
    String name = words[0].replaceFirst("^(vpx?or|vpand)d$", "$1");
    var op = VectorOp.valueOf(name.toUpperCase(Locale.ROOT));
    int first = vector(words[2]);
    if (words[1].contains("{")) {
      String[] to = words[1].split("[{}]+", -1);
      a.vectorMasked(mask(to[1]), op, vector(to[0]), first, vector(words[3]));
      return;
    }
    int to = vector(words[1]);
    if (words.length > 4) {
      int immediate = Integer.parseInt(words[4]);
      if (words[3].startsWith("[")) {
        a.vector(op, to, first, memory(words[3]), immediate);
      } else {
        a.vector(op, to, first, vector(words[3]), immediate);
      }
    } else if (words[3].startsWith("[")) {
      a.vector(op, to, first, memory(words[3]));
    } else if (op == VectorOp.VPXOR && words[1].equals(words[3])) {
      a.zero(to);
    } else {
      a.vector(op, to, first, vector(words[3]));
    }
  }

  private static int mask(String name) {
    return Integer.parseInt(name.substring("k".length()));
  }

  private static Gpr gpr(String name) {
    return Gpr.valueOf(name.toUpperCase(Locale.ROOT));
  }

  private static int vector(String name) {
    return Integer.parseInt(name.substring("xmm".length()));
  }

  private static Memory memory(String operand) {
    var match = ADDRESS.matcher(operand);
    assertThat(match.matches()).as(operand).isTrue();
    String displacement = match.group(4);
    int bytes = displacement == null ? 0 : Integer.parseInt(displacement.replace("+-", "-"));
    Gpr base = gpr(match.group(1));
    String index = match.group(2);
    return index == null
        ? new Memory(base, bytes)
        : new Memory(base, gpr(index), Integer.parseInt(match.group(3)), bytes);
  }

  @Test
  void jumpsReachBackwardsAndForwards() {
    var a = new Assembler(256, false);
    var top = new Label();
    var end = new Label();
    a.bind(top);
    a.jump(When.ZERO, end);
    a.jump(When.NOT_LESS, top);
    a.jump(When.MORE, top);
    a.jump(top);
    a.bind(end);
    a.ret();
    assertThat(HexFormat.of().formatHex(a.bytes()))
        .isEqualTo("0f84110000000f8df4ffffff0f8feeffffffe9e9ffffffc3");
  }

  @Test
  void aJumpToNowhereIsRefused() {
    var a = new Assembler(256, false);
    a.jump(When.LESS, new Label());
    assertThatThrownBy(a::bytes).hasMessageContaining("nowhere");
  }

  @Test
  void masksOfBitsNeedEvex() {
    var a = new Assembler(256, false);
    var place = new Memory(Gpr.RAX, 0);
    assertThatThrownBy(() -> a.mask(1, place)).hasMessageContaining("AVX-512");
    assertThatThrownBy(() -> a.compareToMask(1, 1, place, 5)).hasMessageContaining("AVX-512");
    assertThatThrownBy(() -> a.compareToMask(1, 1, 2, 5)).hasMessageContaining("AVX-512");
    assertThatThrownBy(() -> a.vectorMasked(1, VectorOp.VMULPS, 1, 2, 3))
        .hasMessageContaining("AVX-512");
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 8})
  void thereAreSevenMasks(int mask) {
    var a = new Assembler(512, true);
    var place = new Memory(Gpr.RAX, 0);
    assertThatThrownBy(() -> a.mask(mask, place)).hasMessageContaining("mask " + mask);
    assertThatThrownBy(() -> a.loadMasked(mask, 1, place)).hasMessageContaining("mask " + mask);
    assertThatThrownBy(() -> a.storeMasked(mask, place, 1)).hasMessageContaining("mask " + mask);
    assertThatThrownBy(() -> a.zeroUnmasked(mask, 1)).hasMessageContaining("mask " + mask);
    assertThatThrownBy(() -> a.compareToMask(mask, 1, 2, 5)).hasMessageContaining("mask " + mask);
    assertThatThrownBy(() -> a.vectorMasked(mask, VectorOp.VMULPS, 1, 2, 3))
        .hasMessageContaining("mask " + mask);
  }

  @Test
  void longVectorsNeedThirtyTwoRegisters() {
    assertThatThrownBy(() -> new Assembler(512, false)).hasMessageContaining("AVX-512");
  }
}
