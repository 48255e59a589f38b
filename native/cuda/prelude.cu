/* CUDA C++, as the kernels' prelude. Compiled with --fmad=false: nothing is contracted. */
#define ushort unsigned short
#define uint unsigned int
#define ulong unsigned long long
#define slong long long

#define KERNEL(group) extern "C" __global__ __launch_bounds__(group)
#define FUNCTION static __device__ __forceinline__
#define UNROLL _Pragma("unroll")
#define GLOBAL
#define LOCAL __shared__
#define LOCAL_POINTER
#define ALIGNED alignas(16)
#define BARRIER __syncthreads()
#define BARRIER_FOR_GLOBAL __syncthreads()
#define GROUP_X ((ulong)blockIdx.x)
#define GROUP_Y ((ulong)blockIdx.y)
#define ITEM threadIdx.x
#define RESTRICT __restrict__
#define SQRT __fsqrt_rn
#define AS_ULONG(x) ((ulong)__double_as_longlong(x))

FUNCTION uint as_uint(float x) {
  return __float_as_uint(x);
}

FUNCTION float as_float(uint x) {
  return __uint_as_float(x);
}

/* Lanes; aligned to the whole, and to 16 bytes at most. */
template <typename T>
struct alignas(4 * WIDTH < 16 ? 4 * WIDTH : 16) Lanes {
  T lane[WIDTH];
};
typedef Lanes<float> FLOATS;
typedef Lanes<uint> UINTS;

FUNCTION FLOATS SPLAT(float x) {
  FLOATS r;
  UNROLL for (int l = 0; l < WIDTH; l++) {
    r.lane[l] = x;
  }
  return r;
}

FUNCTION FLOATS operator*(FLOATS x, FLOATS y) {
  UNROLL for (int l = 0; l < WIDTH; l++) {
    x.lane[l] = __fmul_rn(x.lane[l], y.lane[l]);
  }
  return x;
}

FUNCTION FLOATS operator*(float x, FLOATS y) {
  return SPLAT(x) * y;
}

FUNCTION FLOATS operator+(FLOATS x, FLOATS y) {
  UNROLL for (int l = 0; l < WIDTH; l++) {
    x.lane[l] = x.lane[l] + y.lane[l];
  }
  return x;
}

FUNCTION FLOATS operator-(FLOATS x, FLOATS y) {
  UNROLL for (int l = 0; l < WIDTH; l++) {
    x.lane[l] = x.lane[l] - y.lane[l];
  }
  return x;
}

FUNCTION FLOATS LARGER(FLOATS x, FLOATS y) {
  UNROLL for (int l = 0; l < WIDTH; l++) {
    x.lane[l] = y.lane[l] > x.lane[l] ? y.lane[l] : x.lane[l];
  }
  return x;
}

FUNCTION FLOATS fma(FLOATS x, FLOATS y, FLOATS z) {
  FLOATS r;
  UNROLL for (int l = 0; l < WIDTH; l++) {
    r.lane[l] = __fmaf_rn(x.lane[l], y.lane[l], z.lane[l]);
  }
  return r;
}

FUNCTION UINTS operator+(UINTS x, UINTS y) {
  UNROLL for (int l = 0; l < WIDTH; l++) {
    x.lane[l] += y.lane[l];
  }
  return x;
}

FUNCTION UINTS AS_UINTS(FLOATS x) {
  UINTS r;
  UNROLL for (int l = 0; l < WIDTH; l++) {
    r.lane[l] = as_uint(x.lane[l]);
  }
  return r;
}

FUNCTION FLOATS LOAD_BFLOAT16(ulong j, const ushort* from) {
  FLOATS r;
  UNROLL for (int l = 0; l < WIDTH; l++) {
    r.lane[l] = as_float((uint)from[j * WIDTH + l] << 16);
  }
  return r;
}

/* A subnormal number is one in its place in a float, too. */
FUNCTION FLOATS LOAD_BINARY16(ulong j, const ushort* from) {
  FLOATS r;
  UNROLL for (int l = 0; l < WIDTH; l++) {
    const uint bits = from[j * WIDTH + l];
    const float size = __fmul_rn(as_float((bits & 0x7fff) << 13), 0x1p112f);
    r.lane[l] = as_float(as_uint(size) | (bits & 0x8000) << 16);
  }
  return r;
}

template <typename T>
FUNCTION Lanes<T> load_lanes(ulong j, const T* from) {
  Lanes<T> r;
  UNROLL for (int l = 0; l < WIDTH; l++) {
    r.lane[l] = from[j * WIDTH + l];
  }
  return r;
}

template <typename T>
FUNCTION void store_lanes(Lanes<T> x, ulong j, T* to) {
  UNROLL for (int l = 0; l < WIDTH; l++) {
    to[j * WIDTH + l] = x.lane[l];
  }
}

/* A thread has no vectors of these. */
#define IN_ULONGS 1
#define ULONGS ulong
#define NO_ULONGS 0
#define TO_ULONGS(j, from) ((ulong)(from)[j])
#define STORE_ULONGS(x, j, to) ((to)[j] = (x))

#define LOAD load_lanes
#define STORE store_lanes
#define LOAD_UINTS load_lanes
#define STORE_UINTS store_lanes
#define LOAD_LOCAL(from) (*(const FLOATS*)(from))
#define STORE_LOCAL(x, to) (*(FLOATS*)(to) = (x))
#define LOAD_ALIGNED(j, from) ((const FLOATS*)(from))[j]

