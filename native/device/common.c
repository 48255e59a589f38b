/*
 * What all kernels share: a tile's measures, and exact sums of words.
 *
 * The host passes as macros:
 *   PANEL        columns of a packed panel of B
 *   IN_ROWS      0, or nothing: panels lie one after the other, [panel][k][PANEL]; 1: side by side in
 *                rows of their matrix, [k][panel][PANEL]
 *   ROWS, VECTORS, WIDTH   a work-item's tile: ROWS rows of VECTORS vectors; ROWS divides BLOCK_ROWS
 *   DOWN, ACROSS   work-items in a work-group, whose tile lies in one column of check blocks
 *   STEPS        steps of k that a work-group stages in local memory; 0: each work-item reads A and
 *                B for itself
 *   BLOCK_ROWS, BLOCK_COLUMNS   the check block that seals speak of
 *   DEPTH        steps in a k-block, by which panels are sealed
 *   PANEL_TYPE   of panels' elements: 0, or nothing, float32; 1 bfloat16; 2 binary16
 *   SCANNERS     work-items that sum up a block together; a power of two
 *
 * A prelude makes this C either OpenCL C or CUDA C++; it defines
 *   KERNEL(group), FUNCTION   what comes before a kernel of groups along x, and before a function
 *   GLOBAL, LOCAL, RESTRICT   of memory, and of pointers into it
 *   LOCAL_POINTER, ALIGNED    before the type of a pointer to local memory; of an array of vectors
 *   BARRIER      all of a work-group have come here, and see each other's local memory
 *   BARRIER_FOR_GLOBAL   the same of global memory
 *   GROUP_X, GROUP_Y, ITEM   numbers of the work-group, and of the work-item in it
 *   ulong, uint, ushort, as_uint, as_float, fma, min   as in OpenCL C
 *   SQRT         a square root, correctly rounded
 *   AS_ULONG     the bits of a double
 *   slong        a signed integer of 64 bits
 *   FLOATS, UINTS, SPLAT, AS_UINTS   vectors of WIDTH lanes, with +; of floats also - and *
 *   LARGER       of two vectors, lane by lane: the second where it is larger
 *   VECTORS_COUNT   if vectors can be compared and chosen between, lane by lane, as numbers can be
 *   LOAD, STORE, LOAD_UINTS, STORE_UINTS   vector number j behind a pointer to its first lane
 *   LOAD_BFLOAT16, LOAD_BINARY16   the same of numbers of 16 bits behind a pointer to ushort, widened;
 *                numbers of bfloat16 and of binary16 that are neither infinite nor NaN
 *   IN_ULONGS    a divisor of WIDTH
 *   ULONGS, NO_ULONGS   a vector of IN_ULONGS ulongs, and zeros
 *   TO_ULONGS, STORE_ULONGS   vector number j of IN_ULONGS lanes, from uints, and to ulongs
 *   LOAD_ALIGNED, LOAD_LOCAL, STORE_LOCAL   the same, where that is aligned to a whole vector
 *   UNROLL       before a loop
 */
#ifndef PANEL_TYPE
#define PANEL_TYPE 0
#endif
#ifndef IN_ROWS
#define IN_ROWS 0
#endif
#define GROUP (DOWN * ACROSS)
/* Between an item's vectors lie those of its neighbours. */
#define VECTOR_PITCH (ACROSS * WIDTH)
#define GROUP_ROWS (DOWN * ROWS)
#define GROUP_COLUMNS (ACROSS * VECTORS * WIDTH)
/*
 * Sums of words with their indices, as seals keep them: of the words, times index, times index
 * squared, modulo 2^64. The words of a lane lie a pitch apart; u holds running sums over n of them.
 *
 * With m = n - i counted backwards, u.s1 = sum of m w, u.s2 = sum of m (m + 1) / 2 w, and the index
 * of a word is first + i * pitch = (first + n * pitch) - m * pitch.
 */
typedef struct {
  ULONGS s0[WIDTH / IN_ULONGS], s1[WIDTH / IN_ULONGS], s2[WIDTH / IN_ULONGS];
} Running;

typedef struct {
  ulong s0, s1, s2;
} Sums;

FUNCTION void clear(Running* u) {
  UNROLL for (int j = 0; j < WIDTH / IN_ULONGS; j++) {
    u->s0[j] = u->s1[j] = u->s2[j] = NO_ULONGS;
  }
}

/* A few lanes at a time: a vector of as many ulongs is more than some devices have registers for. */
FUNCTION void take(Running* u, const UINTS words) {
  uint lanes[WIDTH];
  STORE_UINTS(words, 0, lanes);
  UNROLL for (int j = 0; j < WIDTH / IN_ULONGS; j++) {
    u->s0[j] = u->s0[j] + TO_ULONGS(j, lanes);
    u->s1[j] = u->s1[j] + u->s0[j];
    u->s2[j] = u->s2[j] + u->s1[j];
  }
}

FUNCTION void fold_lane(Sums* sums, ulong u0, ulong u1, ulong u2, ulong first, ulong n, ulong pitch) {
  const ulong last = first + n * pitch;
  sums->s0 += u0;
  sums->s1 += last * u0 - pitch * u1;
  sums->s2 += last * last * u0 - 2 * pitch * last * u1 + pitch * pitch * (2 * u2 - u1);
}

/* Lane l's first word has index first + l. */
FUNCTION void fold(Sums* sums, const Running* u, ulong first, ulong n, ulong pitch) {
  ulong s0[WIDTH], s1[WIDTH], s2[WIDTH];
  UNROLL for (int j = 0; j < WIDTH / IN_ULONGS; j++) {
    STORE_ULONGS(u->s0[j], j, s0);
    STORE_ULONGS(u->s1[j], j, s1);
    STORE_ULONGS(u->s2[j], j, s2);
  }
  UNROLL for (int l = 0; l < WIDTH; l++) {
    fold_lane(sums, s0[l], s1[l], s2[l], first + l, n, pitch);
  }
}

/*
 * The sums of items side by side in a group, together: those of the first, when all have been here.
 * room: three for every item of the group. item: of that many, at a power of two of neighbours.
 */
FUNCTION void gather(Sums* sums, LOCAL_POINTER ulong* room, uint item, uint neighbours) {
  LOCAL_POINTER ulong* mine = room + 3 * item;
  mine[0] = sums->s0;
  mine[1] = sums->s1;
  mine[2] = sums->s2;
  for (uint apart = neighbours / 2; apart > 0; apart /= 2) {
    BARRIER;
    if (item % neighbours < apart) {
      mine[0] += mine[3 * apart];
      mine[1] += mine[3 * apart + 1];
      mine[2] += mine[3 * apart + 2];
    }
  }
  sums->s0 = mine[0];
  sums->s1 = mine[1];
  sums->s2 = mine[2];
}

/* Sums of a launch carry its number, so that those of an earlier launch are not taken for them. */
FUNCTION void put(GLOBAL ulong* at, const Sums* sums, ulong launch) {
  at[0] = sums->s0 + launch;
  at[1] = sums->s1 + launch;
  at[2] = sums->s2 + launch;
}

/* The sums of a group's items, together, into an entry; the end of a kernel. */
#if SCANNERS > 1
#define PUT_TOGETHER(total, entry)          \
  LOCAL ulong room[3 * SCANNERS];           \
  gather(&total, room, ITEM, SCANNERS);     \
  if (ITEM == 0) {                          \
    put(sums + 3 * (entry), &total, launch); \
  }
#else
#define PUT_TOGETHER(total, entry) put(sums + 3 * (entry), &total, launch);
#endif

/*
 * Vector number j of panels. Panels of 16 bits are widened, exactly, as they are read: whatever is
 * computed of them, their sums too, is that of float32 panels of the same numbers.
 */
#if PANEL_TYPE == 0
#define PANEL_FLOAT float
#define LOAD_PANEL LOAD_ALIGNED
#elif PANEL_TYPE == 1
#define PANEL_FLOAT ushort
#define LOAD_PANEL LOAD_BFLOAT16
#else
#define PANEL_FLOAT ushort
#define LOAD_PANEL LOAD_BINARY16
#endif

/* Elements to the next panel of a matrix, and to the next row of a panel. */
#if IN_ROWS
#define BESIDE(depth) PANEL
#define BELOW(columns) (columns)
#else
#define BESIDE(depth) (PANEL * (depth))
#define BELOW(columns) PANEL
#endif

/*
 * An item's share of vectors, PANEL words to a row and rows so many words apart, with indices from 1.
 */
FUNCTION void take_share(
    Sums* sums, GLOBAL const PANEL_FLOAT* RESTRICT words, const ulong vectors, const ulong apart) {
  const ulong in_row = PANEL / WIDTH;
  Running u;
  clear(&u);
  ulong n = 0;
  for (ulong i = ITEM; i < vectors; i += SCANNERS, n++) {
    const ulong number = apart == PANEL ? i : i / in_row * (apart / WIDTH) + i % in_row;
    take(&u, AS_UINTS(LOAD_PANEL(number, words)));
  }
  fold(sums, &u, ITEM * WIDTH + 1, n, SCANNERS * WIDTH);
}

/*
 * Sums of the packed panels that a region read, one k-block of a panel per work-group:
 * [panel][k-block][3] from entry number place on, indices from 1 through the k-block. They come in
 * rows of so many, and pitch panels from one row to the next. The first starts at element number
 * first; columns: of a matrix that lies in rows.
 */
KERNEL(SCANNERS) void scan_panels(
    GLOBAL const PANEL_FLOAT* RESTRICT panels,
    GLOBAL ulong* RESTRICT sums,
    const ulong place,
    const ulong first,
    const ulong in_row,
    const ulong pitch,
    const ulong columns,
    const ulong depth,
    const ulong k_blocks,
    const ulong launch) {
  const ulong k_block = GROUP_X % k_blocks, number = GROUP_X / k_blocks;
  const ulong which = number / in_row * pitch + number % in_row;
  const ulong k = k_block * DEPTH;
  const ulong vectors = min((ulong)DEPTH, depth - k) * (PANEL / WIDTH);
  Sums total = {0, 0, 0};
  GLOBAL const PANEL_FLOAT* block = panels + first + which * BESIDE(depth) + k * BELOW(columns);
  take_share(&total, block, vectors, BELOW(columns));
  PUT_TOGETHER(total, place + number * k_blocks + k_block)
}
