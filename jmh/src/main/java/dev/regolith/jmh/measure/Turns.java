package dev.regolith.jmh.measure;

/**
 * Who follows whom in a round. The first place rotates from round to round, and every second round
 * goes backwards, so that nobody always inherits the caches and the clock of the same neighbour.
 */
final class Turns {
  private Turns() {}

  /** Contenders by number, in the order of this round. */
  static int[] of(int round, int contenders) {
    var order = new int[contenders];
    for (int i = 0; i < contenders; i++) {
      int place = round % 2 == 0 ? i : contenders - 1 - i;
      order[place] = (round / 2 + i) % contenders;
    }
    return order;
  }
}
