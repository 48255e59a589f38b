/*
 * Elementary functions as listed sequences of operations: those of dev.regolith.kernels.function.
 * Nothing here may be contracted or reassociated.
 */
#define POSITIVE_INFINITY as_float(0x7f800000)
#define NEGATIVE_INFINITY as_float(0xff800000)

/* dev.regolith.kernels.function.Exponential */
FUNCTION float exponential(const float x) {
  const float z = fma(x, 0x1.715476p0f, 0x1.8p23f);
  const float n = z - 0x1.8p23f;
  const float r = fma(n, -0x1.7f7d1cp-20f, fma(n, -0x1.62e4p-1f, x));
  const float p = fma(
      r,
      fma(r, fma(r, fma(r, 0x1.685eecp-10f, 0x1.123d3ap-7f), 0x1.555b8ep-5f), 0x1.55548cp-3f),
      0x1.fffff8p-2f);
  const float y = fma(r, fma(r, p, 1.0f), 1.0f);
  /* The rounder leaves n in the lowest bits of z. */
  const uint exponent = as_uint(z) - as_uint(0x1.8p23f);
  const uint large = x > 88.0f ? 1 : 0;
  const float power = as_float((exponent - large + 127) << 23);
  const float result = y * power * (large ? 2.0f : 1.0f);
  return x < -0x1.5d589ep6f ? 0.0f : !(x <= 0x1.62e42ep6f) ? x + POSITIVE_INFINITY : result;
}

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

