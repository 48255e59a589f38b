package dev.regolith.kernels;

import java.util.List;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

/** How an upset changes a word. */
enum UpsetKind implements IntUnaryOperator {
  BIT_0,
  BIT_11,
  BIT_22,
  BIT_27,
  BIT_30,
  SIGN,
  TWO_BITS,
  ZEROED,
  SCRAMBLED;

  /** Three kinds, other ones every turn, so that a point sees all of them. */
  static List<UpsetKind> ofTurn(int turn) {
    var all = values();
    return IntStream.range(0, 3).mapToObj(i -> all[(3 * turn + i) % all.length]).toList();
  }

  @Override
  public int applyAsInt(int word) {
    return switch (this) {
      case BIT_0 -> word ^ 1;
      case BIT_11 -> word ^ 1 << 11;
      case BIT_22 -> word ^ 1 << 22;
      case BIT_27 -> word ^ 1 << 27;
      case BIT_30 -> word ^ 1 << 30;
      case SIGN -> word ^ 1 << 31;
      case TWO_BITS -> word ^ 3 << 18;
      case ZEROED -> 0;
      case SCRAMBLED -> word * 0x9E3779B1 + 0x7F4A7C15;
    };
  }
}
