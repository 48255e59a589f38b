/*
 * Row operators in the order of operations of docs/operators.md, a row per work-group.
 * Operands are dense. Nothing here may be contracted or reassociated.
 *
 * The host passes as macros, beside those of common.c:
 *   ROW_ITEMS    work-items that share a row: a power of two
 *   SUM_LANES    lanes of every sum along a row, one for every so-many-th element
 *
 * Each kernel takes a number last: the last row, for groups that count rows from there; or 0.
 */
#define ROW (last ? last - GROUP_X : GROUP_X)
#define LANES_OF_ITEM (SUM_LANES > ROW_ITEMS ? SUM_LANES / ROW_ITEMS : 1)

/* Lanes in pairs that lie half of them apart. */
FUNCTION float add_up(LOCAL_POINTER const float* lanes) {
  float sums[SUM_LANES];
  UNROLL for (int i = 0; i < SUM_LANES; i++) {
    sums[i] = lanes[i];
  }
  UNROLL for (int apart = SUM_LANES / 2; apart > 0; apart /= 2) {
    UNROLL for (int i = 0; i < apart; i++) {
      sums[i] += sums[i + apart];
    }
  }
  return sums[0];
}

/*
 * The sum along a row, for all of a group: next is what a lane's sum becomes with element j.
 * lanes: SUM_LANES floats of local memory.
 */
#define SUM_ROW(total, lanes, sum, j, next)                                                 \
  do {                                                                                      \
    const uint first_lane = ITEM * LANES_OF_ITEM;                                           \
    if (first_lane < SUM_LANES) {                                                           \
      float sums[LANES_OF_ITEM];                                                            \
      UNROLL for (int l = 0; l < LANES_OF_ITEM; l++) {                                      \
        sums[l] = 0;                                                                        \
      }                                                                                     \
      for (ulong step = first_lane; step < columns; step += SUM_LANES) {                    \
        UNROLL for (int l = 0; l < LANES_OF_ITEM; l++) {                                    \
          const ulong j = step + l;                                                         \
          if (j < columns) {                                                                \
            const float sum = sums[l];                                                      \
            sums[l] = next;                                                                 \
          }                                                                                 \
        }                                                                                   \
      }                                                                                     \
      UNROLL for (int l = 0; l < LANES_OF_ITEM; l++) {                                      \
        lanes[first_lane + l] = sums[l];                                                    \
      }                                                                                     \
    }                                                                                       \
    BARRIER;                                                                                \
    total = add_up(lanes);                                                                  \
    BARRIER;                                                                                \
  } while (0)

/* The larger; NaN if either is. */
FUNCTION float larger(const float x, const float y) {
  return x != x || x > y ? x : y;
}

/* Exponentials of scaled elements, over their sum; zeros where all are minus infinity. */
KERNEL(ROW_ITEMS) void softmax_rows(
    GLOBAL const float* RESTRICT x,
    GLOBAL float* RESTRICT out,
    const ulong columns,
    const float scale,
    const ulong last) {
  LOCAL float room[ROW_ITEMS], lanes[SUM_LANES];
  GLOBAL const float* from = x + ROW * columns;
  GLOBAL float* to = out + ROW * columns;
  float max = NEGATIVE_INFINITY;
  for (ulong j = ITEM; j < columns; j += ROW_ITEMS) {
    max = larger(max, scale * from[j]);
  }
  room[ITEM] = max;
  for (uint apart = ROW_ITEMS / 2; apart > 0; apart /= 2) {
    BARRIER;
    if (ITEM < apart) {
      room[ITEM] = larger(room[ITEM], room[ITEM + apart]);
    }
  }
  BARRIER;
  max = room[0];
  const int nothing = max == NEGATIVE_INFINITY;
  for (ulong j = ITEM; j < columns; j += ROW_ITEMS) {
    to[j] = nothing ? 0.0f : exponential(scale * from[j] - max);
  }
  BARRIER_FOR_GLOBAL;
  float sum_of_row;
  SUM_ROW(sum_of_row, lanes, sum, j, sum + to[j]);
  const float r = 1.0f / sum_of_row;
  for (ulong j = ITEM; j < columns; j += ROW_ITEMS) {
    to[j] = nothing ? 0.0f : to[j] * r;
  }
}

/* Flags of a norm. */
#define CENTRED 1
#define OF_SUM 2
#define BIASED 4

/* A row, centred or not, over its deviation, times weights; of x + y, which goes to sums as well. */
KERNEL(ROW_ITEMS) void norm_rows(
    GLOBAL const float* RESTRICT x,
    GLOBAL const float* RESTRICT y,
    GLOBAL const float* RESTRICT weight,
    GLOBAL const float* RESTRICT bias,
    GLOBAL float* RESTRICT sums_out,
    GLOBAL float* RESTRICT out,
    const ulong columns,
    const float epsilon,
    const ulong flags,
    const ulong last) {
  LOCAL float lanes[SUM_LANES];
  const ulong row = ROW * columns;
  if (flags & OF_SUM) {
    for (ulong j = ITEM; j < columns; j += ROW_ITEMS) {
      sums_out[row + j] = x[row + j] + y[row + j];
    }
    BARRIER_FOR_GLOBAL;
  }
  GLOBAL const float* from = (flags & OF_SUM ? sums_out : x) + row;
  float mean = 0;
  if (flags & CENTRED) {
    SUM_ROW(mean, lanes, sum, j, sum + from[j]);
    mean = mean / (float)columns;
  }
  float squares;
  SUM_ROW(squares, lanes, sum, j, fma(from[j] - mean, from[j] - mean, sum));
  const float r = 1.0f / SQRT(squares / (float)columns + epsilon);
  for (ulong j = ITEM; j < columns; j += ROW_ITEMS) {
    const float d = (from[j] - mean) * r;
    out[row + j] = flags & BIASED ? fma(d, weight[j], bias[j]) : d * weight[j];
  }
}

/*
 * Rotates pairs (step i, step i + apart), and copies what follows them. The row of the tables is
 * first + (row / together) % positions.
 */
KERNEL(ROW_ITEMS) void rotate_rows(
    GLOBAL const float* RESTRICT x,
    GLOBAL const float* RESTRICT cosines,
    GLOBAL const float* RESTRICT sines,
    GLOBAL float* RESTRICT out,
    const ulong columns,
    const ulong pairs,
    const ulong step,
    const ulong apart,
    const ulong first,
    const ulong together,
    const ulong positions,
    const ulong last) {
  const ulong row = ROW * columns;
  const ulong table = (first + ROW / together % positions) * pairs;
  for (ulong i = ITEM; i < pairs; i += ROW_ITEMS) {
    const float c = cosines[table + i], s = sines[table + i];
    const float a = x[row + step * i], b = x[row + step * i + apart];
    out[row + step * i] = fma(-b, s, a * c);
    out[row + step * i + apart] = fma(a, s, b * c);
  }
  for (ulong j = 2 * pairs + ITEM; j < columns; j += ROW_ITEMS) {
    out[row + j] = x[row + j];
  }
}

/* What map_rows computes; a factor comes after it. */
#define SILU 0
#define GELU 1
#define GELU_TANH 2
#define ADDITION 3

/* dev.regolith.kernels.function.Activations */
FUNCTION float activated(const float x, const ulong which) {
  const float h = 0.5f * x;
  if (which == SILU) {
    return x / (1.0f + exponential(-x));
  }
  if (which == GELU) {
    return fma(h, error_function(x * 0x1.6a09e6p-1f), h);
  }
  return fma(h, hyperbolic_tangent(x * fma(x * x, 0x1.2444f2p-5f, 0x1.988454p-1f)), h);
}

/* An activation, times y if there is one; or x + y. */
KERNEL(ROW_ITEMS) void map_rows(
    GLOBAL const float* RESTRICT x,
    GLOBAL const float* RESTRICT y,
    GLOBAL float* RESTRICT out,
    const ulong columns,
    const ulong which,
    const ulong paired,
    const ulong last) {
  const ulong row = ROW * columns;
  for (ulong j = row + ITEM; j < row + columns; j += ROW_ITEMS) {
    if (which == ADDITION) {
      out[j] = x[j] + y[j];
    } else {
      const float value = activated(x[j], which);
      out[j] = paired ? value * y[j] : value;
    }
  }
}

/*
 * Copies one row of everything, a row of columns each, for the host to compute: x, y, weights (or a
 * row of a table, so many parameters), biases likewise, result, sum; and the number of the launch.
 */
KERNEL(ROW_ITEMS) void sample_row(
    GLOBAL const float* RESTRICT x,
    GLOBAL const float* RESTRICT y,
    GLOBAL const float* RESTRICT weight,
    GLOBAL const float* RESTRICT bias,
    GLOBAL const float* RESTRICT result,
    GLOBAL const float* RESTRICT sum_of_row,
    GLOBAL float* RESTRICT sample,
    const ulong row,
    const ulong columns,
    const ulong table,
    const ulong parameters,
    const ulong launch) {
  for (ulong j = ITEM; j < columns; j += ROW_ITEMS) {
    sample[j] = x[row * columns + j];
    sample[columns + j] = y[row * columns + j];
    sample[4 * columns + j] = result[row * columns + j];
    sample[5 * columns + j] = sum_of_row[row * columns + j];
  }
  for (ulong j = ITEM; j < parameters; j += ROW_ITEMS) {
    sample[2 * columns + j] = weight[table * parameters + j];
    sample[3 * columns + j] = bias[table * parameters + j];
  }
  if (ITEM == 0) {
    sample[6 * columns] = as_float((uint)launch);
  }
}
