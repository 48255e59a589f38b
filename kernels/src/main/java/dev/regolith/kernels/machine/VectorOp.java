package dev.regolith.kernels.machine;

/**
 * A vector instruction with a destination and two sources, the second of which may lie in memory;
 * where it has one source, that is the second.
 */
public enum VectorOp {
  /** {@code sum = fma(a, b, sum)}, float32. */
  VFMADD231PS(VectorOp.P66, VectorOp.MAP_0F38, 0, 0xB8),
  /** {@code product = fma(product, a, b)}, float32. */
  VFMADD213PS(VectorOp.P66, VectorOp.MAP_0F38, 0, 0xA8),
  /** {@code product = a * product - b}, float32, rounded once. */
  VFMSUB213PS(VectorOp.P66, VectorOp.MAP_0F38, 0, 0xAA),
  /** Sum, float32. */
  VADDPS(VectorOp.NONE, VectorOp.MAP_0F, 0, 0x58),
  /** Product, float32. */
  VMULPS(VectorOp.NONE, VectorOp.MAP_0F, 0, 0x59),
  /** Difference, float32. */
  VSUBPS(VectorOp.NONE, VectorOp.MAP_0F, 0, 0x5C),
  /** The first source where it is greater, the second anywhere else, float32. */
  VMAXPS(VectorOp.NONE, VectorOp.MAP_0F, 0, 0x5F),
  /** Sum, float64. */
  VADDPD(VectorOp.P66, VectorOp.MAP_0F, 1, 0x58),
  /** The lower half of a vector of floats, or half a vector in memory, as float64; one source. */
  VCVTPS2PD(VectorOp.NONE, VectorOp.MAP_0F, 0, 0x5A),
  /** Bits in both. Behind VEX only. */
  VANDPS(VectorOp.NONE, VectorOp.MAP_0F, 0, 0x54),
  /**
   * Whether floats are in a relation, the immediate: all bits, or none; behind EVEX a bit of a
   * mask.
   */
  VCMPPS(VectorOp.NONE, VectorOp.MAP_0F, 0, 0xC2),
  /** Sum of 32-bit integers. */
  VPADDD(VectorOp.P66, VectorOp.MAP_0F, 0, 0xFE),
  /** Difference of 32-bit integers. */
  VPSUBD(VectorOp.P66, VectorOp.MAP_0F, 0, 0xFA),
  /** The first source, with 128 bits of the second in the half that the immediate says. */
  VINSERTF128(VectorOp.P66, VectorOp.MAP_0F3A, 0, 0x18),
  /** The lower two floats of every 128 bits of both, in turns. */
  VUNPCKLPS(VectorOp.NONE, VectorOp.MAP_0F, 0, 0x14),
  /** The upper two floats of every 128 bits of both, in turns. */
  VUNPCKHPS(VectorOp.NONE, VectorOp.MAP_0F, 0, 0x15),
  /** The lower 64 bits of every 128 of both. */
  VUNPCKLPD(VectorOp.P66, VectorOp.MAP_0F, 1, 0x14),
  /** The upper 64 bits of every 128 of both. */
  VUNPCKHPD(VectorOp.P66, VectorOp.MAP_0F, 1, 0x15),
  /** Floats within every 128 bits, chosen by the immediate; one source. */
  VPERMILPS(VectorOp.P66, VectorOp.MAP_0F3A, 0, 0x04),
  /** Bits in both. */
  VPAND(VectorOp.P66, VectorOp.MAP_0F, 0, 0xDB),
  /** Bits in either. */
  VPOR(VectorOp.P66, VectorOp.MAP_0F, 0, 0xEB),
  /** Bits in one of the two; with itself, zero. */
  VPXOR(VectorOp.P66, VectorOp.MAP_0F, 0, 0xEF),
  /** Sum of 64-bit integers. */
  VPADDQ(VectorOp.P66, VectorOp.MAP_0F, 1, 0xD4),
  /** Difference of 64-bit integers. */
  VPSUBQ(VectorOp.P66, VectorOp.MAP_0F, 1, 0xFB),
  /** One float into every lane. */
  VBROADCASTSS(VectorOp.P66, VectorOp.MAP_0F38, 0, 0x18),
  /** 128 bits of 256, chosen by the immediate; the first operand is the source. */
  VEXTRACTF128(VectorOp.P66, VectorOp.MAP_0F3A, 0, 0x19),
  /** 256 bits of 512, chosen by the immediate; the first operand is the source. */
  VEXTRACTF64X4(VectorOp.P66, VectorOp.MAP_0F3A, 1, 0x1B),
  /** A vector of floats, loaded. */
  VMOVUPS(VectorOp.NONE, VectorOp.MAP_0F, 0, 0x10),
  /** The lanes of a mask, the first source, loaded; zeros in the other lanes. Behind VEX only. */
  VMASKMOVPS(VectorOp.P66, VectorOp.MAP_0F38, 0, 0x2C),
  /** One float, loaded; zeros in the other lanes. */
  VMOVSS(VectorOp.PF3, VectorOp.MAP_0F, 0, 0x10),
  /** One float64, loaded; zeros in the other lanes. */
  VMOVSD(VectorOp.PF2, VectorOp.MAP_0F, 1, 0x10);

  // Mandatory prefixes and opcode maps, as VEX and EVEX number them.
  static final int NONE = 0;
  static final int P66 = 1;
  static final int PF3 = 2;
  static final int PF2 = 3;
  static final int MAP_0F = 1;
  static final int MAP_0F38 = 2;
  static final int MAP_0F3A = 3;

  final int prefix;
  final int map;

  /** The bit W behind EVEX; behind VEX it is 0, or ignored. */
  final int wide;

  final int opcode;

  VectorOp(int prefix, int map, int wide, int opcode) {
    this.prefix = prefix;
    this.map = map;
    this.wide = wide;
    this.opcode = opcode;
  }
}
