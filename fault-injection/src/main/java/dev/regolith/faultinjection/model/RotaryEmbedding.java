package dev.regolith.faultinjection.model;

/**
 * Rotary position embedding (Su et al. 2021) in the rotate-half convention: element d of a head and
 * element d + width/2 are one point of the plane, turned by {@code position * base^(-2d / width)}.
 */
final class RotaryEmbedding {
  private final int headWidth;
  private final Matrix cosines;
  private final Matrix sines;

  /**
   * @param headWidth length of one head's row; even
   * @param positions number of positions that can be turned
   */
  RotaryEmbedding(int headWidth, double base, int positions) {
    this.headWidth = headWidth;
    int half = headWidth / 2;
    this.cosines = Matrix.zeros(positions, half);
    this.sines = Matrix.zeros(positions, half);
    for (int position = 0; position < positions; position++) {
      for (int d = 0; d < half; d++) {
        double angle = position * Math.pow(base, -2.0 * d / headWidth);
        cosines.values()[position * half + d] = (float) Math.cos(angle);
        sines.values()[position * half + d] = (float) Math.sin(angle);
      }
    }
  }

  /** Turns every head of every row by the row's index; returns a new matrix. */
  Matrix turn(Matrix x) {
    Matrix turned = Matrix.zeros(x.rows(), x.columns());
    int half = headWidth / 2;
    for (int position = 0; position < x.rows(); position++) {
      for (int head = 0; head < x.columns(); head += headWidth) {
        for (int d = 0; d < half; d++) {
          float cosine = cosines.at(position, d);
          float sine = sines.at(position, d);
          float a = x.at(position, head + d);
          float b = x.at(position, head + half + d);
          int to = position * x.columns() + head + d;
          turned.values()[to] = a * cosine - b * sine;
          turned.values()[to + half] = b * cosine + a * sine;
        }
      }
    }
    return turned;
  }
}
