package dev.regolith.kernels.memory;

/**
 * Decides exactly whether strided ranges share a word.
 *
 * <p>A range is a union of arithmetic progressions ("runs": a row, or a column where that is the
 * denser direction). Two runs meet if a linear Diophantine equation has a solution in range, which
 * the extended Euclidean algorithm answers; runs that cannot meet are skipped by their bounds.
 */
final class Overlap {
  private Overlap() {}

  static boolean selfOverlaps(Range r) {
    boolean apart = r.batch() == 1 || r.batchStride() >= r.rows() * r.rowStride();
    if (apart && r.columnStride() == 1 && r.rowStride() >= r.columns()) {
      return false; // the usual case, decided without allocating
    }
    // Sort the dimensions by stride: nested if each stride clears the span of the smaller ones.
    long[] stride = {r.columnStride(), r.rowStride(), r.batchStride()};
    long[] count = {r.columns(), r.rows(), r.batch()};
    for (int pass = 0; pass < 2; pass++) {
      for (int d = 0; d < 2; d++) {
        boolean swap = count[d] > 1 ? count[d + 1] > 1 && stride[d] > stride[d + 1] : false;
        if (swap || (count[d] > 1 && count[d + 1] <= 1)) {
          long s = stride[d];
          stride[d] = stride[d + 1];
          stride[d + 1] = s;
          long c = count[d];
          count[d] = count[d + 1];
          count[d + 1] = c;
        }
      }
    }
    long span = 0;
    boolean nested = true;
    for (int d = 0; d < 3; d++) {
      if (count[d] > 1) {
        nested &= stride[d] > span;
        span += stride[d] * (count[d] - 1);
      }
    }
    if (nested) {
      return false;
    }
    if (span + 1 < r.size()) {
      return true; // more elements than words
    }
    return runsMeetThemselves(r);
  }

  private static boolean runsMeetThemselves(Range r) {
    if (r.columns() > 1 && r.columnStride() == 0) {
      return true;
    }
    for (long b = 0; b < r.batch(); b++) {
      for (long i = 0; i < r.rows(); i++) {
        for (long b2 = b; b2 < r.batch(); b2++) {
          for (long i2 = b2 == b ? i + 1 : 0; i2 < r.rows(); i2++) {
            if (runsMeet(
                r.word(b, i, 0),
                r.columnStride(),
                r.columns(),
                r.word(b2, i2, 0),
                r.columnStride(),
                r.columns())) {
              return true;
            }
          }
        }
      }
    }
    return false;
  }

  static boolean intersects(Range x, Range y) {
    Range a = denser(x);
    Range b = denser(y);
    for (long p = 0; p < a.batch(); p++) {
      for (long i = 0; i < a.rows(); i++) {
        long first = a.word(p, i, 0);
        long last = a.word(p, i, a.columns() - 1);
        if (runMeets(first, last, a.columnStride(), a.columns(), b)) {
          return true;
        }
      }
    }
    return false;
  }

  private static boolean runMeets(long first, long last, long stride, long count, Range b) {
    for (long q = 0; q < b.batch(); q++) {
      // Rows of b whose bounds reach [first, last]; rows are ordered, so the ends come by division.
      long span = (b.columns() - 1) * b.columnStride();
      long base = b.word(q, 0, 0);
      long from = 0;
      long to = b.rows() - 1;
      if (b.rowStride() > 0) {
        from = Math.max(0, Math.ceilDiv(first - span - base, b.rowStride()));
        to = Math.min(to, Math.floorDiv(last - base, b.rowStride()));
      }
      for (long i = from; i <= to; i++) {
        if (runsMeet(first, stride, count, b.word(q, i, 0), b.columnStride(), b.columns())) {
          return true;
        }
      }
    }
    return false;
  }

  /** The same words with the smaller stride along the columns. */
  private static Range denser(Range r) {
    boolean turn = r.rows() > 1 && (r.columns() == 1 || r.rowStride() < r.columnStride());
    return turn ? r.turned() : r;
  }

  /** Whether {@code a + s * i == b + t * j} for some i in [0, m), j in [0, n). */
  static boolean runsMeet(long a, long s, long m, long b, long t, long n) {
    if (m > 1 && n > 1 && s == 1 && t == 1) {
      return a <= b + n - 1 && b <= a + m - 1;
    }
    if (m == 1 || s == 0) {
      return contains(b, t, n, a);
    }
    if (n == 1 || t == 0) {
      return contains(a, s, m, b);
    }
    long gcd = gcd(s, t);
    long gap = b - a;
    if (gap % gcd != 0) {
      return false;
    }
    // i = gap / gcd * inverse(s / gcd) modulo t / gcd, then every t / gcd further.
    long step = t / gcd;
    long i = Math.floorMod(multiplyModulo(gap / gcd, inverse(s / gcd, step), step), step);
    long lowest = Math.ceilDiv(gap, s); // j >= 0 needs s * i >= gap
    if (lowest > i) {
      i += Math.ceilDiv(lowest - i, step) * step;
    }
    return i < m && s * i - gap <= t * (n - 1);
  }

  private static boolean contains(long start, long stride, long count, long word) {
    long distance = word - start;
    if (stride == 0 || count == 1) {
      return distance == 0;
    }
    return distance >= 0 && distance % stride == 0 && distance / stride < count;
  }

  private static long gcd(long x, long y) {
    return y == 0 ? x : gcd(y, x % y);
  }

  private static long multiplyModulo(long x, long y, long modulus) {
    return Math.floorMod(Math.floorMod(x, modulus) * Math.floorMod(y, modulus), modulus);
  }

  private static long inverse(long x, long modulus) {
    long r0 = modulus;
    long r1 = Math.floorMod(x, modulus);
    long s0 = 0;
    long s1 = 1;
    while (r1 != 0) {
      long q = r0 / r1;
      long r = r0 - q * r1;
      r0 = r1;
      r1 = r;
      long s = s0 - q * s1;
      s0 = s1;
      s1 = s;
    }
    return Math.floorMod(s0, Math.max(1, modulus));
  }
}
