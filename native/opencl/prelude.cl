/* OpenCL C, as the kernels' prelude. */
#pragma OPENCL FP_CONTRACT OFF

#define slong long
#define KERNEL(group) kernel __attribute__((reqd_work_group_size(group, 1, 1)))
#define FUNCTION static inline __attribute__((always_inline))
#define GLOBAL global
#define LOCAL local
#define LOCAL_POINTER local
#define RESTRICT restrict
#define ALIGNED __attribute__((aligned(64)))
#define BARRIER barrier(CLK_LOCAL_MEM_FENCE)
#define BARRIER_FOR_GLOBAL barrier(CLK_GLOBAL_MEM_FENCE | CLK_LOCAL_MEM_FENCE)
#define GROUP_X get_group_id(0)
#define GROUP_Y get_group_id(1)
#define ITEM ((uint)get_local_id(0))
#define SQRT sqrt
#define AS_ULONG as_ulong
#define UNROLL __attribute__((opencl_unroll_hint))

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define FLOATS JOIN(float, WIDTH)
#define UINTS JOIN(uint, WIDTH)
#define SPLAT(x) (FLOATS)(x)
#define AS_UINTS JOIN(as_uint, WIDTH)
#define AS_FLOATS JOIN(as_float, WIDTH)
#define VECTORS_COUNT
#define LARGER(x, y) ((y) > (x) ? (y) : (x))
#define LOAD JOIN(vload, WIDTH)
#define STORE JOIN(vstore, WIDTH)
#define LOAD_UINTS LOAD
#define STORE_UINTS STORE
#if WIDTH < 4
#define IN_ULONGS WIDTH
#else
#define IN_ULONGS 4
#endif
#define ULONGS JOIN(ulong, IN_ULONGS)
#define NO_ULONGS ((ULONGS)0)
#define TO_ULONGS(j, from) JOIN(convert_ulong, IN_ULONGS)(JOIN(vload, IN_ULONGS)(j, from))
#define STORE_ULONGS JOIN(vstore, IN_ULONGS)
#define LOAD_BFLOAT16(j, from) \
  JOIN(as_float, WIDTH)(JOIN(convert_uint, WIDTH)(LOAD(j, from)) << (uint)16)
#define LOAD_BINARY16(j, from) JOIN(vload_half, WIDTH)(j, (global const half*)(from))
#define LOAD_LOCAL(from) (*(local const FLOATS*)(from))
#define STORE_LOCAL(x, to) (*(local FLOATS*)(to) = (x))
#define LOAD_ALIGNED(j, from) ((global const FLOATS*)(from))[j]

