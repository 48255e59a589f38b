package dev.regolith.faultinjection.inject;

/**
 * What a computation must come to: the bits of a fault-free run, and the envelope that any correct
 * computation obeys, both from undamaged inputs and without the library under test.
 *
 * @param bits the words of all outputs, row-major, one output after the other
 * @param exact the same in double precision
 * @param envelope how far from {@code exact} a correct result can be
 */
@SuppressWarnings("ArrayRecordComponent") // a bundle of results; nobody compares or prints it
record Truth(float[] bits, double[] exact, double[] envelope) {

  /** How a result compares. */
  enum Judgement {
    IDENTICAL,
    INSIDE,
    OUTSIDE
  }

  /** Compares a result, laid out like {@link #bits}; any NaN equals any NaN. */
  Judgement judge(float[] result) {
    var judgement = Judgement.IDENTICAL;
    for (int i = 0; i < bits.length; i++) {
      if (Float.floatToIntBits(result[i]) != Float.floatToIntBits(bits[i])) {
        // Written so that NaN, found or expected, is outside; and of infinities there is one.
        boolean near = Math.abs(result[i] - exact[i]) <= envelope[i];
        if (!near || Double.isInfinite(exact[i])) {
          return Judgement.OUTSIDE;
        }
        judgement = Judgement.INSIDE;
      }
    }
    return judgement;
  }
}
