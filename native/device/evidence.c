/*
 * Evidence of a product: what its inputs predict of signed sums of a row's columns, how far rounding
 * may drive these apart, and what C shows; in double precision, as dev.regolith.kernels.checksum has
 * it. The host compares.
 *
 * A check is one row of some check blocks side by side: so many (span) from the region's first on,
 * and fewer at its end.
 *
 * Records of B: [k-block][block][words]: a check vector of DEPTH floats or fewer, doubles: a
 * coefficient of every GRAIN steps, GRAINS of them, and the mean sum of a row.
 *
 * The host passes as macros, beside those of common.c:
 *   GRAIN, GRAINS   of the tolerance
 *   RECORD_TAIL  doubles in a record
 *   SIGN_0 ... SIGN_7   signs of four check blocks' columns, a bit each, set for +1
 *   CHECK_ROWS   rows that a work-group predicts
 *
 * Evidence: [row][check][EVIDENCE] bits of doubles, and the number of the launch with what each kernel
 * made, so that what an earlier launch left is not taken for new.
 */
#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
#define EVIDENCE 10
#define PREDICTED 0
#define SQUARES 1
#define MEAN 2
#define PREDICTED_BY 3 /* the launch */
/* From SHOWN, or OLD_SHOWN, on. */
#define SUM 0
#define SUM_OF_SQUARES 1
#define SHOWN_BY 2

/* Sums of items of a group, count each: those of the first, in its own place. */
FUNCTION void add_items(LOCAL_POINTER double* room, const uint item, const uint count) {
  for (uint apart = SCANNERS / 2; apart > 0; apart /= 2) {
    BARRIER;
    if (item < apart) {
      for (uint i = 0; i < count; i++) {
        room[item * count + i] += room[(item + apart) * count + i];
      }
    }
  }
  BARRIER;
}

FUNCTION ulong sign_word(const uint number) {
  switch (number) {
    case 0: return SIGN_0;
    case 1: return SIGN_1;
    case 2: return SIGN_2;
    case 3: return SIGN_3;
    case 4: return SIGN_4;
    case 5: return SIGN_5;
    case 6: return SIGN_6;
    default: return SIGN_7;
  }
}

/* The sign of a column of a check block. */
FUNCTION double sign_of(const ulong block, const uint column) {
  const ulong word = sign_word((uint)(block % 4) * 2 + column / 64);
  return word >> column % 64 & 1 ? 1.0 : -1.0;
}

/*
 * Predicts CHECK_ROWS rows of one check.
 *
 * a: [rows][depth], dense, behind so many rows above. record: of the region's first block.
 * words: of a record. columns: of C, from the region's first block on.
 */
KERNEL(SCANNERS) void predict(
    GLOBAL const float* RESTRICT a,
    GLOBAL const float* RESTRICT records,
    GLOBAL ulong* RESTRICT evidence,
    const ulong above,
    const ulong record,
    const ulong words,
    const ulong blocks,
    const ulong span,
    const ulong depth,
    const ulong rows,
    const ulong columns,
    const ulong region_blocks,
    const ulong launch) {
  LOCAL double room[3 * CHECK_ROWS * SCANNERS];
  const uint item = ITEM;
  const ulong vector_length = words - 2 * RECORD_TAIL;
  const ulong check = GROUP_Y, checks = (region_blocks + span - 1) / span;
  const ulong first = check * span, here = min(span, region_blocks - first);
  const ulong under = min(here * BLOCK_COLUMNS, columns - first * BLOCK_COLUMNS);
  const ulong row = GROUP_X * CHECK_ROWS;
  double predicted[CHECK_ROWS], squares[CHECK_ROWS], mean[CHECK_ROWS];
  GLOBAL const float* from[CHECK_ROWS];
  UNROLL for (int r = 0; r < CHECK_ROWS; r++) {
    predicted[r] = squares[r] = mean[r] = 0;
    from[r] = a + (above + min(row + r, rows - 1)) * depth;
  }
  for (ulong k0 = 0; k0 < depth; k0 += DEPTH) {
    const ulong steps = min((ulong)DEPTH, depth - k0);
    GLOBAL const float* own = records + (record + k0 / DEPTH * blocks + first) * words;
    double products[CHECK_ROWS], spreads[CHECK_ROWS], sums[CHECK_ROWS];
    UNROLL for (int r = 0; r < CHECK_ROWS; r++) {
      products[r] = spreads[r] = sums[r] = 0;
    }
    for (ulong k = item; k < steps; k += SCANNERS) {
      double v = 0, coefficient = 0;
      for (ulong b = 0; b < here; b++) {
        GLOBAL const float* vector = own + b * words;
        GLOBAL const double* tail = (GLOBAL const double*)(vector + vector_length);
        v += vector[k];
        coefficient += tail[k / GRAIN];
      }
      UNROLL for (int r = 0; r < CHECK_ROWS; r++) {
        const double x = from[r][k0 + k];
        products[r] += x * v;
        spreads[r] += x * x * coefficient;
        sums[r] += x;
      }
    }
    UNROLL for (int r = 0; r < CHECK_ROWS; r++) {
      room[(item * CHECK_ROWS + r) * 3] = products[r];
      room[(item * CHECK_ROWS + r) * 3 + 1] = spreads[r];
      room[(item * CHECK_ROWS + r) * 3 + 2] = sums[r];
    }
    add_items(room, item, 3 * CHECK_ROWS);
    if (item == 0) {
      double gain = 0;
      for (ulong b = 0; b < here; b++) {
        GLOBAL const float* vector = own + b * words;
        gain += ((GLOBAL const double*)(vector + vector_length))[GRAINS];
      }
      UNROLL for (int r = 0; r < CHECK_ROWS; r++) {
        const double before = mean[r], after = before + room[r * 3 + 2] * gain;
        predicted[r] += room[r * 3];
        squares[r] += room[r * 3 + 1] + (double)steps *
            (before * before + before * after + after * after) / (3.0 * (double)under);
        mean[r] = after;
      }
    }
    BARRIER;
  }
  if (item == 0) {
    UNROLL for (int r = 0; r < CHECK_ROWS; r++) {
      if (row + r < rows) {
        GLOBAL ulong* to = evidence + ((row + r) * checks + check) * EVIDENCE;
        to[PREDICTED] = AS_ULONG(predicted[r]);
        to[SQUARES] = AS_ULONG(squares[r]);
        to[MEAN] = AS_ULONG(mean[r]);
        to[PREDICTED_BY] = launch;
      }
    }
  }
}

/*
 * What one row of C, or of the old C, shows of one check: its signed sum, and its squares; from place
 * on in the check's evidence.
 *
 * c: the region's first element is at first, the next row pitch further on. block: its number.
 */
KERNEL(SCANNERS) void show(
    GLOBAL const float* RESTRICT c,
    GLOBAL ulong* RESTRICT evidence,
    const ulong first,
    const ulong pitch,
    const ulong block,
    const ulong span,
    const ulong columns,
    const ulong region_blocks,
    const ulong place,
    const ulong launch) {
  LOCAL double room[2 * SCANNERS];
  const uint item = ITEM;
  const ulong check = GROUP_Y, checks = (region_blocks + span - 1) / span;
  const ulong left = check * span * BLOCK_COLUMNS;
  const ulong end = min(left + span * BLOCK_COLUMNS, columns);
  GLOBAL const float* row = c + first + GROUP_X * pitch;
  double shown = 0, squares = 0;
  for (ulong j = left + item; j < end; j += SCANNERS) {
    const double x = row[j];
    shown += sign_of(block + j / BLOCK_COLUMNS, (uint)(j % BLOCK_COLUMNS)) * x;
    squares += x * x;
  }
  room[2 * item] = shown;
  room[2 * item + 1] = squares;
  add_items(room, item, 2);
  if (item == 0) {
    GLOBAL ulong* to = evidence + (GROUP_X * checks + check) * EVIDENCE + place;
    to[SUM] = AS_ULONG(room[0]);
    to[SUM_OF_SQUARES] = AS_ULONG(room[1]);
    to[SHOWN_BY] = launch;
  }
}

/* Sums of records, one per work-group: so many in a row, and from row to row; see scan_panels. */
KERNEL(SCANNERS) void scan_records(
    GLOBAL const float* RESTRICT records,
    GLOBAL ulong* RESTRICT sums,
    const ulong place,
    const ulong record,
    const ulong in_row,
    const ulong pitch,
    const ulong words,
    const ulong launch) {
  const ulong which = record + GROUP_X / in_row * pitch + GROUP_X % in_row;
  Sums total = {0, 0, 0};
  take_share(&total, records + which * words, words / WIDTH, PANEL);
  PUT_TOGETHER(total, place + GROUP_X)
}
