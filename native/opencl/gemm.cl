/*
 * Matrix multiplication in the canonical order, with exact sums of what was stored and read.
 *
 * Every element is one chain acc = fma(a[i][k], b[k][j], acc) in increasing k, so that the bits are
 * those of every other backend; nothing here may be contracted, reassociated or split along k.
 *
 * The host passes as macros:
 *   PANEL        columns of a packed panel of B: [panel][k][PANEL]
 *   ROWS, VECTORS, WIDTH   a work-item's tile: ROWS x (VECTORS * WIDTH) of C, inside one panel;
 *                          ROWS divides BLOCK_ROWS
 *   BLOCK_ROWS, BLOCK_COLUMNS   the check block that seals speak of
 *   DEPTH        steps in a k-block, by which panels are sealed
 *   COLUMNS_FIRST   1: neighbouring work-items have neighbouring columns (GPU), 0: rows (CPU)
 *   GROUP        work-items in a group, along the first dimension
 */
#pragma OPENCL FP_CONTRACT OFF

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define FLOATS JOIN(float, WIDTH)
#define UINTS JOIN(uint, WIDTH)
#define LOAD JOIN(vload, WIDTH)
#define STORE JOIN(vstore, WIDTH)
#define AS_UINTS JOIN(as_uint, WIDTH)
#define TILE_COLUMNS (VECTORS * WIDTH)
#define UNROLL __attribute__((opencl_unroll_hint))

/*
 * Sums of words with their indices, as seals keep them: of the words, times index, times index
 * squared, modulo 2^64. The words of a lane lie a pitch apart; u holds running sums over n of them.
 *
 * With m = n - i counted backwards, u.s1 = sum of m w, u.s2 = sum of m (m + 1) / 2 w, and the index
 * of a word is first + i * pitch = (first + n * pitch) - m * pitch.
 */
typedef struct {
  ulong s0[WIDTH], s1[WIDTH], s2[WIDTH];
} Running;

typedef struct {
  ulong s0, s1, s2;
} Sums;

void clear(Running* u) {
  UNROLL for (int l = 0; l < WIDTH; l++) {
    u->s0[l] = u->s1[l] = u->s2[l] = 0;
  }
}

/* Lane by lane: a vector of as many ulongs is more than some devices pass in registers. */
void take(Running* u, const UINTS words) {
  uint lanes[WIDTH];
  STORE(words, 0, lanes);
  UNROLL for (int l = 0; l < WIDTH; l++) {
    u->s0[l] += lanes[l];
    u->s1[l] += u->s0[l];
    u->s2[l] += u->s1[l];
  }
}

void fold_lane(Sums* sums, ulong u0, ulong u1, ulong u2, ulong first, ulong n, ulong pitch) {
  ulong last = first + n * pitch;
  sums->s0 += u0;
  sums->s1 += last * u0 - pitch * u1;
  sums->s2 += last * last * u0 - 2 * pitch * last * u1 + pitch * pitch * (2 * u2 - u1);
}

/* Lane l's first word has index first + l. */
void fold(Sums* sums, const Running* u, ulong first, ulong n, ulong pitch) {
  for (int l = 0; l < WIDTH; l++) {
    fold_lane(sums, u->s0[l], u->s1[l], u->s2[l], first + l, n, pitch);
  }
}

/* Sums of a launch carry its number, so that those of an earlier launch are not taken for them. */
void put(global ulong* at, const Sums* sums, ulong launch) {
  at[0] = sums->s0 + launch;
  at[1] = sums->s1 + launch;
  at[2] = sums->s2 + launch;
}

ulong pitch_of(ulong columns) {
  return (columns + 31) / 32 * 32;
}

/*
 * C = alpha A B + beta C over whole tiles of a region that starts at a check block.
 *
 * a: [rows x depth], dense. c, old: [rows x columns], dense. panel: the region's first.
 * sums: [tile row][tile column][3].
 */
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void gemm(
    global const float* restrict a,
    global const float* restrict panels,
    global const float* restrict old,
    global float* restrict c,
    global ulong* restrict sums,
    const ulong panel,
    const ulong depth,
    const ulong rows,
    const ulong columns,
    const float alpha,
    const float beta,
    const ulong launch) {
#if COLUMNS_FIRST
  const ulong tile_column = get_global_id(0), tile_row = get_global_id(1);
#else
  const ulong tile_column = get_global_id(1), tile_row = get_global_id(0);
#endif
  const ulong row = tile_row * ROWS, column = tile_column * TILE_COLUMNS;
  if (row >= rows || column >= columns) {
    return;
  }
  const ulong tile_columns = (columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
  global const float* b =
      panels + (panel + column / PANEL) * depth * PANEL + column % PANEL;
  const ulong rows_here = min((ulong)ROWS, rows - row);

  FLOATS acc[ROWS][VECTORS];
  global const float* from[ROWS];
  UNROLL for (int i = 0; i < ROWS; i++) {
    from[i] = a + (row + min((ulong)i, rows_here - 1)) * depth;
    UNROLL for (int j = 0; j < VECTORS; j++) {
      acc[i][j] = (FLOATS)(0.0f);
    }
  }
  for (ulong k = 0; k < depth; k++, b += PANEL) {
    FLOATS x[VECTORS];
    UNROLL for (int j = 0; j < VECTORS; j++) {
      x[j] = LOAD(j, b);
    }
    UNROLL for (int i = 0; i < ROWS; i++) {
      const FLOATS y = (FLOATS)(from[i][k]);
      UNROLL for (int j = 0; j < VECTORS; j++) {
        acc[i][j] = fma(y, x[j], acc[i][j]);
      }
    }
  }

  /* The sums are made from the registers, whatever becomes of them in memory. */
  Running u[VECTORS];
  UNROLL for (int j = 0; j < VECTORS; j++) {
    clear(&u[j]);
  }
  const int whole = column + TILE_COLUMNS <= columns;
  UNROLL for (int i = 0; i < ROWS; i++) {
    if (i < rows_here) {
      const ulong at = (row + i) * columns + column;
      UNROLL for (int j = 0; j < VECTORS; j++) {
        FLOATS value = acc[i][j];
        if (whole) {
          if (beta != 0) {
            value = fma((FLOATS)(alpha), value, (FLOATS)(beta) * LOAD(j, old + at));
          } else {
            value = alpha * value;
          }
          STORE(value, j, c + at);
          take(&u[j], AS_UINTS(value));
        } else {
          float lanes[WIDTH];
          uint words[WIDTH];
          STORE(value, 0, lanes);
          for (int l = 0; l < WIDTH; l++) {
            const ulong place = at + j * WIDTH + l;
            words[l] = 0;
            if (column + j * WIDTH + l < columns) {
              const float result =
                  beta != 0 ? fma(alpha, lanes[l], beta * old[place]) : alpha * lanes[l];
              c[place] = result;
              words[l] = as_uint(result);
            }
          }
          take(&u[j], LOAD(0, words));
        }
      }
    }
  }
  const ulong block_column = column / BLOCK_COLUMNS * BLOCK_COLUMNS;
  const ulong pitch = pitch_of(min((ulong)BLOCK_COLUMNS, columns - block_column));
  Sums total = {0, 0, 0};
  UNROLL for (int j = 0; j < VECTORS; j++) {
    const ulong first = row % BLOCK_ROWS * pitch + (column - block_column) + j * WIDTH + 1;
    fold(&total, &u[j], first, rows_here, pitch);
  }
  put(sums + 3 * (tile_row * tile_columns + tile_column), &total, launch);
}

/*
 * Sums of the packed panels that a region read, one k-block of a panel per work-item:
 * [panel][k-block][3], indices from 1 through the k-block.
 */
kernel void scan_panels(
    global const float* restrict panels,
    global ulong* restrict sums,
    const ulong panel,
    const ulong depth,
    const ulong launch) {
  const ulong k_block = get_global_id(0), k_blocks = get_global_size(0);
  const ulong number = get_global_id(1);
  const ulong first = k_block * DEPTH;
  const ulong n = min((ulong)DEPTH, depth - first);
  Sums total = {0, 0, 0};
  for (int j = 0; j < PANEL; j += WIDTH) {
    global const float* at = panels + ((panel + number) * depth + first) * PANEL + j;
    Running u;
    clear(&u);
    for (ulong k = 0; k < n; k++, at += PANEL) {
      take(&u, AS_UINTS(LOAD(0, at)));
    }
    fold(&total, &u, j + 1, n, PANEL);
  }
  put(sums + 3 * (number * k_blocks + k_block), &total, launch);
}

/* Sums of the check blocks of a dense matrix: [block row][block column][3]. */
kernel void scan_matrix(
    global const float* restrict words,
    global ulong* restrict sums,
    const ulong rows,
    const ulong columns,
    const ulong launch) {
  const ulong across = get_global_size(0);
  const ulong column = get_global_id(0) * BLOCK_COLUMNS, row = get_global_id(1) * BLOCK_ROWS;
  const ulong n = min((ulong)BLOCK_ROWS, rows - row);
  const ulong width = min((ulong)BLOCK_COLUMNS, columns - column);
  const ulong pitch = pitch_of(width);
  Sums total = {0, 0, 0};
  ulong j = 0;
  for (; j + WIDTH <= width; j += WIDTH) {
    global const float* at = words + row * columns + column + j;
    Running u;
    clear(&u);
    for (ulong i = 0; i < n; i++, at += columns) {
      take(&u, AS_UINTS(LOAD(0, at)));
    }
    fold(&total, &u, j + 1, n, pitch);
  }
  for (; j < width; j++) {
    global const float* at = words + row * columns + column + j;
    ulong u0 = 0, u1 = 0, u2 = 0;
    for (ulong i = 0; i < n; i++, at += columns) {
      u0 += as_uint(*at);
      u1 += u0;
      u2 += u1;
    }
    fold_lane(&total, u0, u1, u2, j + 1, n, pitch);
  }
  put(sums + 3 * (get_global_id(1) * across + get_global_id(0)), &total, launch);
}
