/*
 * Elementary functions as listed sequences of operations: those of dev.regolith.kernels.function.
 * Nothing here may be contracted or reassociated.
 */
#define POSITIVE_INFINITY as_float(0x7f800000)
#define NEGATIVE_INFINITY as_float(0xff800000)

/* dev.regolith.kernels.function.Exponential; of a number, or of a vector of them. */
#define DEFINE_EXPONENTIAL(name, F, U, AS_F, AS_U)                                              \
  FUNCTION F name(const F x) {                                                                 \
    const F z = fma(x, (F)(0x1.715476p0f), (F)(0x1.8p23f));                                    \
    const F n = z - (F)(0x1.8p23f);                                                            \
    const F r = fma(n, (F)(-0x1.7f7d1cp-20f), fma(n, (F)(-0x1.62e4p-1f), x));                  \
    const F high = fma(r, (F)(0x1.685eecp-10f), (F)(0x1.123d3ap-7f));                          \
    const F p =                                                                                \
        fma(r, fma(r, fma(r, high, (F)(0x1.555b8ep-5f)), (F)(0x1.55548cp-3f)), (F)(0x1.fffff8p-2f)); \
    const F y = fma(r, fma(r, p, (F)(1.0f)), (F)(1.0f));                                       \
    /* The rounder leaves n in the lowest bits of z. */                                        \
    const U exponent = AS_U(z) - (U)(0x4b400000);                                              \
    const U large = x > (F)(88.0f) ? (U)(1) : (U)(0);                                          \
    const F power = AS_F((exponent - large + (U)(127)) << (U)(23));                            \
    const F result = y * power * (x > (F)(88.0f) ? (F)(2.0f) : (F)(1.0f));                     \
    const F finite = x <= (F)(0x1.62e42ep6f) ? result : x + (F)(POSITIVE_INFINITY);            \
    return x < (F)(-0x1.5d589ep6f) ? (F)(0.0f) : finite;                                       \
  }

DEFINE_EXPONENTIAL(exponential, float, uint, as_float, as_uint)
#ifdef VECTORS_COUNT
DEFINE_EXPONENTIAL(exponentials, FLOATS, UINTS, AS_FLOATS, AS_UINTS)
#else
FUNCTION FLOATS exponentials(FLOATS x) {
  float lane[WIDTH];
  STORE(x, 0, lane);
  UNROLL for (int l = 0; l < WIDTH; l++) {
    lane[l] = exponential(lane[l]);
  }
  return LOAD(0, lane);
}
#endif

/* dev.regolith.kernels.function.HyperbolicTangent */
FUNCTION float hyperbolic_tangent(const float x) {
  const float a = as_float(as_uint(x) & 0x7fffffff);
  const float z = a * a;
  const float p = fma(
      z,
      fma(z, fma(z, fma(z, -0x1.7567ecp-8f, 0x1.52095ep-6f), -0x1.b83780p-5f), 0x1.1106fep-3f),
      -0x1.555532p-2f);
  const float e = exponential(2.0f * (a > 10.0f ? 10.0f : a));
  const float result = a < 0.625f ? fma(a * z, p, a) : 1.0f - 2.0f / (e + 1.0f);
  return as_float((as_uint(result) & 0x7fffffff) | (as_uint(x) & 0x80000000));
}

/* dev.regolith.kernels.function.ErrorFunction */
FUNCTION float error_function(const float x) {
  const float a = as_float(as_uint(x) & 0x7fffffff);
  const float z = a * a;
  const float p = fma(
      z,
      fma(z, fma(z, fma(z, -0x1.43fdacp-11f, 0x1.4976e2p-8f), -0x1.b6e3b8p-6f), 0x1.ce1fcep-4f),
      -0x1.8127p-2f);
  const float b = a > 4.0f ? 4.0f : a;
  const float q = fma(
      b,
      fma(b, fma(b, fma(b, 0x1.a6575cp-13f, -0x1.95b6c8p-9f), 0x1.6f7d26p-6f), -0x1.ab631cp-4f),
      -0x1.4600c2p-1f);
  const float large = 1.0f - exponential(fma(b, fma(b, q, -0x1.20c0c6p0f), -0x1.164d26p-13f));
  const float result = a < 0.875f ? fma(a, fma(z, p, 0x1.06eba6p-3f), a) : large;
  return as_float((as_uint(result) & 0x7fffffff) | (as_uint(x) & 0x80000000));
}

