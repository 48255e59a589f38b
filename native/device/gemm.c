
/*
 * Matrix multiplication in the canonical order, with exact sums of what was stored and read.
 *
 * Every element is one chain acc = fma(a[i][k], b[k][j], acc) in increasing k, so that the bits are
 * those of every other backend; nothing here may be contracted, reassociated or split along k.
 */
#if STEPS && (GROUP_ROWS * STEPS % GROUP || GROUP_COLUMNS * STEPS % (WIDTH * GROUP) || \
              ROWS % WIDTH || BLOCK_ROWS % ROWS || BLOCK_COLUMNS % GROUP_COLUMNS ||         \
              GROUP_COLUMNS % PANEL || (ACROSS & (ACROSS - 1)))
#error "a tile that its work-items cannot share evenly"
#endif
/* Groups that stage what they read follow each other along a row of C; others stay with a panel. */
#if STEPS
#define GROUP_RIGHT GROUP_X
#define GROUP_DOWN GROUP_Y
#else
#define GROUP_RIGHT GROUP_Y
#define GROUP_DOWN GROUP_X
#endif

FUNCTION ulong pitch_of(ulong columns) {
  return (columns + 31) / 32 * 32;
}

/*
 * alpha acc + beta old into an item's tile of C; the sums of what is stored are made from the
 * registers, whatever becomes of them in memory.
 */
FUNCTION void store_tile(
    FLOATS acc[ROWS][VECTORS],
    GLOBAL const float* RESTRICT old,
    GLOBAL float* RESTRICT c,
    Sums* sums,
    const ulong row,
    const ulong column,
    const ulong rows,
    const ulong columns,
    const float alpha,
    const float beta) {
  const ulong rows_here = row < rows ? min((ulong)ROWS, rows - row) : 0;
  const ulong block_column = column / BLOCK_COLUMNS * BLOCK_COLUMNS;
  const ulong pitch = pitch_of(min((ulong)BLOCK_COLUMNS, columns - block_column));
  UNROLL for (int j = 0; j < VECTORS; j++) {
    const ulong here = column + j * VECTOR_PITCH;
    Running u;
    clear(&u);
    UNROLL for (int i = 0; i < ROWS; i++) {
      if (i < rows_here) {
        const ulong at = (row + i) * columns + here;
        FLOATS value = acc[i][j];
        if (here + WIDTH <= columns) {
          if (beta != 0) {
            value = fma(SPLAT(alpha), value, beta * LOAD(0, old + at));
          } else {
            value = alpha * value;
          }
          STORE(value, 0, c + at);
          take(&u, AS_UINTS(value));
        } else {
          float lanes[WIDTH];
          uint words[WIDTH];
          STORE(value, 0, lanes);
          for (int l = 0; l < WIDTH; l++) {
            words[l] = 0;
            if (here + l < columns) {
              const float result =
                  beta != 0 ? fma(alpha, lanes[l], beta * old[at + l]) : alpha * lanes[l];
              c[at + l] = result;
              words[l] = as_uint(result);
            }
          }
          take(&u, LOAD_UINTS(0, words));
        }
      }
    }
    fold(sums, &u, row % BLOCK_ROWS * pitch + (here - block_column) + 1, rows_here, pitch);
  }
}

FUNCTION void clear_tile(FLOATS acc[ROWS][VECTORS]) {
  UNROLL for (int i = 0; i < ROWS; i++) {
    UNROLL for (int j = 0; j < VECTORS; j++) {
      acc[i][j] = SPLAT(0.0f);
    }
  }
}

#if STEPS

/* What one item brings of a slab: its share of the rows of A, and of the columns of B. */
#define SHARE_A (GROUP_ROWS * STEPS / GROUP)
#define SHARE_B (GROUP_COLUMNS * STEPS / WIDTH / GROUP)
/* Rows in local memory are as long as no two items of a group meet in one of its banks. */
#define PITCH_A (GROUP_ROWS + 4)
#define PITCH_B (GROUP_COLUMNS + PANEL)
#define SLAB (STEPS * (PITCH_A + PITCH_B))

FUNCTION void fetch(
    float share_a[SHARE_A],
    FLOATS share_b[SHARE_B],
    GLOBAL const float* RESTRICT a,
    GLOBAL const PANEL_FLOAT* RESTRICT panels,
    const uint item,
    const ulong all_columns,
    const ulong k,
    const ulong first_row,
    const ulong first_panel,
    const ulong last_panel,
    const ulong depth,
    const ulong rows) {
  UNROLL for (int i = 0; i < SHARE_A; i++) {
    const uint number = i * GROUP + item;
    const ulong row = min(first_row + number / STEPS, rows - 1);
    share_a[i] = a[row * depth + min(k + number % STEPS, depth - 1)];
  }
  UNROLL for (int i = 0; i < SHARE_B; i++) {
    const uint number = (i * GROUP + item) * WIDTH;
    const ulong panel = min(first_panel + number / (STEPS * PANEL), last_panel);
    const ulong step = min(k + number / PANEL % STEPS, depth - 1);
    const ulong place = panel * BESIDE(depth) + step * BELOW(all_columns) + number % PANEL;
    share_b[i] = LOAD_PANEL(0, panels + place);
  }
}

FUNCTION void stage(
    LOCAL_POINTER float* slab, float share_a[SHARE_A], FLOATS share_b[SHARE_B], const uint item) {
  UNROLL for (int i = 0; i < SHARE_A; i++) {
    const uint number = i * GROUP + item;
    slab[number % STEPS * PITCH_A + number / STEPS] = share_a[i];
  }
  UNROLL for (int i = 0; i < SHARE_B; i++) {
    const uint number = (i * GROUP + item) * WIDTH;
    const uint column = number / (STEPS * PANEL) * PANEL + number % PANEL;
    STORE_LOCAL(
        share_b[i], slab + STEPS * PITCH_A + number / PANEL % STEPS * PITCH_B + column);
  }
}

FUNCTION void step(
    FLOATS acc[ROWS][VECTORS], LOCAL_POINTER const float* slab, int k, uint down, uint across) {
  float y[ROWS];
  FLOATS x[VECTORS];
  UNROLL for (int i = 0; i < ROWS / WIDTH; i++) {
    STORE(LOAD_LOCAL(slab + k * PITCH_A + down * ROWS + i * WIDTH), i, y);
  }
  UNROLL for (int j = 0; j < VECTORS; j++) {
    x[j] = LOAD_LOCAL(slab + STEPS * PITCH_A + k * PITCH_B + j * VECTOR_PITCH + across * WIDTH);
  }
  UNROLL for (int i = 0; i < ROWS; i++) {
    UNROLL for (int j = 0; j < VECTORS; j++) {
      acc[i][j] = fma(SPLAT(y[i]), x[j], acc[i][j]);
    }
  }
}

#else

/*
 * The chains of an item that reads for itself. seals: if once, the sums of the item's panel, k-block
 * by k-block, are put there, made of the very words that were multiplied; see scan_panels.
 */
FUNCTION void multiply_alone(
    FLOATS acc[ROWS][VECTORS],
    GLOBAL const float* RESTRICT a,
    GLOBAL const PANEL_FLOAT* RESTRICT panels,
    const ulong row,
    const ulong column,
    const ulong depth,
    const ulong rows,
    const ulong all_columns,
    const int once,
    GLOBAL ulong* RESTRICT seals,
    const ulong launch) {
  GLOBAL const PANEL_FLOAT* b = panels + column / PANEL * BESIDE(depth) + column % PANEL;
  GLOBAL const float* from[ROWS];
  UNROLL for (int i = 0; i < ROWS; i++) {
    from[i] = a + min(row + i, rows - 1) * depth;
  }
  const ulong length = once ? DEPTH : depth;
  for (ulong first = 0; first < depth; first += length, seals += 3) {
    const ulong steps = min(length, depth - first);
    Running u[VECTORS];
    if (once) {
      UNROLL for (int j = 0; j < VECTORS; j++) {
        clear(&u[j]);
      }
    }
    for (ulong k = first; k < first + steps; k++, b += BELOW(all_columns)) {
      FLOATS x[VECTORS];
      UNROLL for (int j = 0; j < VECTORS; j++) {
        x[j] = LOAD_PANEL(j, b);
        if (once) {
          take(&u[j], AS_UINTS(x[j]));
        }
      }
      UNROLL for (int i = 0; i < ROWS; i++) {
        const FLOATS y = SPLAT(from[i][k]);
        UNROLL for (int j = 0; j < VECTORS; j++) {
          acc[i][j] = fma(y, x[j], acc[i][j]);
        }
      }
    }
    if (once) {
      Sums total = {0, 0, 0};
      UNROLL for (int j = 0; j < VECTORS; j++) {
        fold(&total, &u[j], j * WIDTH + 1, steps, PANEL);
      }
      put(seals, &total, launch);
    }
  }
}

#endif

/*
 * C = alpha A B + beta C over whole tiles of a region that starts at a check block.
 *
 * A: [rows x depth], dense, behind so many rows above. c, old: [rows x columns], dense.
 * first: element of the region's first panel. all_columns: of a B that lies in rows.
 * sums: from entry number place on, [row of tiles][column of groups' tiles][3].
 */
KERNEL(GROUP) void gemm(
    GLOBAL const float* RESTRICT all_of_a,
    GLOBAL const PANEL_FLOAT* RESTRICT panels,
    GLOBAL const float* RESTRICT old,
    GLOBAL float* RESTRICT c,
    GLOBAL ulong* RESTRICT sums,
    const ulong place,
    const ulong first,
    const ulong all_columns,
    const ulong above,
    const ulong depth,
    const ulong rows,
    const ulong columns,
    const float alpha,
    const float beta,
    const ulong launch) {
  GLOBAL const float* a = all_of_a + above * depth;
  const uint item = ITEM, across = item % ACROSS, down = item / ACROSS;
  const ulong row = GROUP_DOWN * GROUP_ROWS + down * ROWS;
  const ulong column = GROUP_RIGHT * GROUP_COLUMNS + across * WIDTH;
  FLOATS acc[ROWS][VECTORS];
  clear_tile(acc);
  Sums total = {0, 0, 0};
#if STEPS
  ALIGNED LOCAL float slabs[2][SLAB];
  LOCAL ulong room[3 * GROUP];
  GLOBAL const PANEL_FLOAT* b = panels + first;
  const ulong first_panel = GROUP_RIGHT * GROUP_COLUMNS / PANEL;
  const ulong last_panel = (columns - 1) / PANEL;
  float share_a[SHARE_A];
  FLOATS share_b[SHARE_B];
  for (ulong k = 0; k < depth; k += STEPS) {
    /* The share of this slab was fetched while the one before was computed with. */
    if (k == 0) {
      fetch(share_a, share_b, a, b, item, all_columns, 0, GROUP_DOWN * GROUP_ROWS, first_panel,
            last_panel, depth, rows);
    }
    LOCAL_POINTER float* slab = slabs[k / STEPS % 2];
    stage(slab, share_a, share_b, item);
    BARRIER;
    if (k + STEPS < depth) {
      fetch(share_a, share_b, a, b, item, all_columns, k + STEPS, GROUP_DOWN * GROUP_ROWS,
            first_panel, last_panel, depth, rows);
    }
    if (k + STEPS <= depth) {
      UNROLL for (int i = 0; i < STEPS; i++) {
        step(acc, slab, i, down, across);
      }
    } else {
      for (int i = 0; i < (int)(depth - k); i++) {
        step(acc, slab, i, down, across);
      }
    }
  }
  store_tile(acc, old, c, &total, row, column, rows, columns, alpha, beta);
  gather(&total, room, item, ACROSS);
#else
  multiply_alone(
      acc, a, panels + first, row, column, depth, rows, all_columns, 0, sums, launch);
  store_tile(acc, old, c, &total, row, column, rows, columns, alpha, beta);
#endif
  if (across == 0 && row < rows) {
    const ulong group_columns = (columns + GROUP_COLUMNS - 1) / GROUP_COLUMNS;
    put(sums + 3 * (place + row / ROWS * group_columns + GROUP_RIGHT), &total, launch);
  }
}

#if !STEPS && GROUP_COLUMNS == PANEL
/*
 * The same for no more rows than an item has, so that every word of B is read once: its sums are made
 * while it is, from entry number of_panels on, and scan_panels has nothing to read. A kernel of its
 * own, since as a branch of the other it takes that one's registers (docs/decisions.md).
 */
KERNEL(GROUP) void gemm_once(
    GLOBAL const float* RESTRICT all_of_a,
    GLOBAL const PANEL_FLOAT* RESTRICT panels,
    GLOBAL const float* RESTRICT old,
    GLOBAL float* RESTRICT c,
    GLOBAL ulong* RESTRICT sums,
    const ulong place,
    const ulong first,
    const ulong all_columns,
    const ulong above,
    const ulong depth,
    const ulong rows,
    const ulong columns,
    const float alpha,
    const float beta,
    const ulong of_panels,
    const ulong launch) {
  GLOBAL const float* a = all_of_a + above * depth;
  const ulong k_blocks = (depth + DEPTH - 1) / DEPTH;
  const ulong column = GROUP_RIGHT * GROUP_COLUMNS;
  FLOATS acc[ROWS][VECTORS];
  clear_tile(acc);
  Sums total = {0, 0, 0};
  GLOBAL ulong* seals = sums + 3 * (of_panels + GROUP_RIGHT * k_blocks);
  multiply_alone(
      acc, a, panels + first, 0, column, depth, rows, all_columns, 1, seals, launch);
  store_tile(acc, old, c, &total, 0, column, rows, columns, alpha, beta);
  put(sums + 3 * (place + GROUP_RIGHT), &total, launch);
}
#endif

/*
 * Sums of check blocks of a batch of dense matrices, a block per work-group: from block number block
 * on, so many in a row, and from row to row; from entry number place on.
 */
KERNEL(SCANNERS) void scan_matrix(
    GLOBAL const float* RESTRICT matrices,
    GLOBAL ulong* RESTRICT sums,
    const ulong place,
    const ulong block,
    const ulong in_row,
    const ulong rows,
    const ulong columns,
    const ulong launch) {
  const ulong across = (columns + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
  const ulong down = (rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
  const ulong number = block + GROUP_X / in_row * across + GROUP_X % in_row;
  GLOBAL const float* words = matrices + number / across / down * rows * columns;
  const ulong column = number % across * BLOCK_COLUMNS;
  const ulong row = number / across % down * BLOCK_ROWS;
  const ulong n = min((ulong)BLOCK_ROWS, rows - row);
  const ulong width = min((ulong)BLOCK_COLUMNS, columns - column);
  const ulong pitch = pitch_of(width);
  const ulong whole = width / WIDTH * WIDTH;
  Sums total = {0, 0, 0};
  for (ulong j = ITEM * WIDTH; j < whole; j += SCANNERS * WIDTH) {
    GLOBAL const float* at = words + row * columns + column + j;
    Running u;
    clear(&u);
    for (ulong i = 0; i < n; i++, at += columns) {
      take(&u, AS_UINTS(LOAD(0, at)));
    }
    fold(&total, &u, j + 1, n, pitch);
  }
  for (ulong j = whole + ITEM; j < width; j += SCANNERS) {
    GLOBAL const float* at = words + row * columns + column + j;
    ulong u0 = 0, u1 = 0, u2 = 0;
    for (ulong i = 0; i < n; i++, at += columns) {
      u0 += as_uint(*at);
      u1 += u0;
      u2 += u1;
    }
    fold_lane(&total, u0, u1, u2, j + 1, n, pitch);
  }
  PUT_TOGETHER(total, place + GROUP_X)
}

/* Copies the rows of a region of C, a row per work-group, to where they are in all of C. */
KERNEL(SCANNERS) void place_region(
    GLOBAL const float* RESTRICT region,
    GLOBAL float* RESTRICT c,
    const ulong first,
    const ulong pitch,
    const ulong columns) {
  for (ulong j = ITEM; j < columns; j += SCANNERS) {
    c[first + GROUP_X * pitch + j] = region[GROUP_X * columns + j];
  }
}
