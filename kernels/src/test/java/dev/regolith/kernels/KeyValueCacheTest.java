package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.AttentionCase.Layout;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Cached keys and values: the same bits as without a cache, and damage in pages put back. */
@Tag("device")
class KeyValueCacheTest {
  private static SessionUnderTest session(Protection protection) {
    return SessionUnderTest.kept(2, protection, SessionUnderTest.computing());
  }

  private static KeyValueCache fill(
      Session session, Arena arena, AttentionCase c, int b, int step) {
    var cache = session.cache(c.kvHeads, c.depth, c.columns);
    Tensor k = AttentionCase.tensor(arena, new float[][][][] {c.k[b]}, Layout.ROWS_FIRST);
    Tensor v = AttentionCase.tensor(arena, new float[][][][] {c.v[b]}, Layout.HEADS_FIRST);
    int end = (int) c.keyLength(b);
    for (int at = 0; at < end; at += step) {
      int to = Math.min(end, at + step);
      assertThat(session.append(cache, k.slice(2, at, to), v.slice(2, at, to)))
          .isEqualTo(Status.CLEAN);
    }
    assertThat(cache.length()).isEqualTo(end);
    return cache;
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void theSameBitsAsTheCanonicalLoop(int part) {
    for (int seed = 1000 + 15 * part; seed < 1015 + 15 * part; seed++) {
      var c = AttentionCase.random(seed);
      if (c.mask != null && c.keyLengths != null) {
        long longest = Arrays.stream(c.keyLengths).max().orElseThrow();
        c.cutMask(Math.clamp(longest, 1, c.maskKeys));
      }
      var random = new Random(seed);
      for (Protection protection : new Protection[] {Protection.OFF, Protection.CORRECT}) {
        try (var arena = Arena.ofShared()) {
          var under = session(protection);
          var caches = new ArrayList<KeyValueCache>();
          for (int b = 0; b < c.batch; b++) {
            caches.add(fill(under.session(), arena, c, b, 1 + random.nextInt(200)));
          }
          Tensor q = AttentionCase.tensor(arena, c.q, Layout.ROWS_FIRST);
          Tensor out = c.result(arena, Layout.HEADS_FIRST);
          long[] lengths = c.keyLengths;
          c.keyLengths = null; // caches know
          AttentionOptions options = c.options(arena);
          c.keyLengths = lengths;
          Status status = under.session().attention(q, caches, out, options);
          assertThat(status).as(c.toString()).isEqualTo(Status.CLEAN);
          assertThat(under.reports()).isEmpty();
          requireCanonical(c, out);
          caches.forEach(KeyValueCache::close);
        }
      }
    }
  }

  /** A head's rows in one strip, of a cache larger than L2: kernels read panels abreast. */
  @ParameterizedTest
  @CsvSource({"8, 128, 128", "32, 128, 128", "96, 128, 128", "8, 64, 256", "24, 200, 40"})
  void aLargeCache(int heads, int depth, int columns) {
    requireLarge(new AttentionCase(1, heads, 8, 1, 700, depth, columns, new Random(heads)));
  }

  /** The same where a window begins and ends within pages. */
  @Test
  void aWindowOfALargeCache() {
    var c = new AttentionCase(1, 16, 8, 2, 900, 128, 128, new Random(3));
    c.causal = true;
    c.past = 898;
    c.left = 500;
    requireLarge(c);
  }

  /** The same where values of a page in the middle are not finite. */
  @Test
  void aLargeCacheWithAnInfinity() {
    var c = new AttentionCase(1, 8, 8, 1, 700, 128, 128, new Random(4));
    c.v[0][5][300][77] = Float.POSITIVE_INFINITY;
    requireLarge(c);
  }

  private static void requireLarge(AttentionCase c) {
    try (var arena = Arena.ofShared()) {
      for (Protection protection : new Protection[] {Protection.OFF, Protection.CORRECT}) {
        var under = session(protection);
        try (var cache = fill(under.session(), arena, c, 0, c.keys)) {
          Tensor q = AttentionCase.tensor(arena, c.q, Layout.HEADS_FIRST);
          Tensor out = c.result(arena, Layout.HEADS_FIRST);
          assertThat(under.session().attention(q, List.of(cache), out, c.options(arena)))
              .isEqualTo(Status.CLEAN);
          requireCanonical(c, out);
        }
      }
    }
  }

  private static void requireCanonical(AttentionCase c, Tensor out) {
    float[] got = out.toArray();
    for (int b = 0, at = 0; b < c.batch; b++) {
      for (int h = 0; h < c.heads; h++) {
        for (int i = 0; i < c.queries; i++) {
          float[] expected = ReferenceAttention.canonical(c, b, h, i).out();
          for (int x = 0; x < c.columns; x++, at++) {
            assertThat(Float.floatToIntBits(got[at]))
                .as("[%d, %d, %d, %d] of %s", b, h, i, x, c)
                .isEqualTo(Float.floatToIntBits(expected[x]));
          }
        }
      }
    }
  }

  @Test
  void tokenByTokenGivesWhatPrefillGives() {
    try (var arena = Arena.ofShared()) {
      var c = new AttentionCase(1, 4, 2, 140, 140, 32, 32, new Random(5));
      c.causal = true;
      Session session = session(Protection.CORRECT).session();
      Tensor q = AttentionCase.tensor(arena, c.q, Layout.HEADS_FIRST);
      Tensor k = AttentionCase.tensor(arena, c.k, Layout.HEADS_FIRST);
      Tensor v = AttentionCase.tensor(arena, c.v, Layout.HEADS_FIRST);
      Tensor whole = c.result(arena, Layout.HEADS_FIRST);
      session.attention(q, k, v, whole, c.options(arena));
      Tensor stepwise = c.result(arena, Layout.HEADS_FIRST);
      try (var cache = session.cache(2, 32, 32)) {
        for (int i = 0; i < c.queries; i++) {
          session.append(cache, k.slice(2, i, i + 1), v.slice(2, i, i + 1));
          session.attention(
              q.slice(2, i, i + 1),
              List.of(cache),
              stepwise.slice(2, i, i + 1),
              AttentionOptions.defaults().scale(c.scale).causal());
        }
      }
      assertThat(bits(stepwise)).isEqualTo(bits(whole));
    }
  }

  @Test
  void truncatedCachesGoOnAsIfTheRestHadNeverBeen() {
    try (var arena = Arena.ofShared()) {
      var c = new AttentionCase(1, 2, 2, 1, 300, 16, 24, new Random(6));
      Session session = session(Protection.CORRECT).session();
      Tensor k = AttentionCase.tensor(arena, c.k, Layout.HEADS_FIRST);
      Tensor v = AttentionCase.tensor(arena, c.v, Layout.HEADS_FIRST);
      Tensor q = AttentionCase.tensor(arena, c.q, Layout.HEADS_FIRST);
      Tensor out = c.result(arena, Layout.HEADS_FIRST);
      for (int kept : new int[] {0, 1, 127, 128, 130, 255, 256, 299, 300}) {
        try (var cache = session.cache(2, 16, 24)) {
          session.append(cache, k, v);
          cache.truncate(kept);
          session.append(cache, k.slice(2, kept, 300), v.slice(2, kept, 300));
          assertThat(session.attention(q, List.of(cache), out, c.options(arena)))
              .isEqualTo(Status.CLEAN);
          requireCanonical(c, out);
        }
      }
    }
  }

  /** Pages come several at a time, and are used again, for other keys, when some are forgotten. */
  @ParameterizedTest
  @CsvSource({"2, 16, 24, 1500, 90", "8, 128, 128, 2700, 450"})
  void pagesThatCameTogetherAreUsedAgain(int heads, int depth, int columns, int keys, int step) {
    var random = new Random(7);
    var c = new AttentionCase(1, heads, heads, 1, keys, depth, columns, random);
    Session session = session(Protection.CORRECT).session();
    try (var cache = session.cache(heads, depth, columns)) {
      for (int kept : new int[] {keys - 200, 1152, 640, 300, 130, 128, 0}) {
        try (var arena = Arena.ofShared()) {
          Tensor k = AttentionCase.tensor(arena, c.k, Layout.HEADS_FIRST);
          Tensor v = AttentionCase.tensor(arena, c.v, Layout.HEADS_FIRST);
          Tensor q = AttentionCase.tensor(arena, c.q, Layout.HEADS_FIRST);
          Tensor out = c.result(arena, Layout.HEADS_FIRST);
          for (int at = (int) cache.length(); at < keys; at += step) {
            int to = Math.min(keys, at + step);
            session.append(cache, k.slice(2, at, to), v.slice(2, at, to));
          }
          assertThat(session.attention(q, List.of(cache), out, c.options(arena)))
              .isEqualTo(Status.CLEAN);
          requireCanonical(c, out);
          assertThat(session.verify(cache)).isEqualTo(Status.CLEAN);
        }
        cache.truncate(kept);
        for (int head = 0; head < heads; head++) {
          for (int key = kept; key < keys; key++) {
            c.k[0][head][key] = Operand.gaussian(random, depth);
            c.v[0][head][key] = Operand.gaussian(random, columns);
          }
        }
      }
    }
  }

  /** What of a page is struck. */
  enum Part {
    KEYS,
    VALUES,
    KEY_VECTOR,
    VALUE_VECTOR,
    KEY_SEAL,
    VALUE_SEAL,
    KEY_DIGEST,
    VALUE_DIGEST,
    RECORD_SEAL;

    /** Whether nobody looks at it while a device computes. */
    boolean liesIdle() {
      return EnumSet.of(KEYS, VALUES, KEY_DIGEST, VALUE_DIGEST).contains(this);
    }
  }

  @ParameterizedTest
  @EnumSource(Part.class)
  void verifyingACachePutsDamageBack(Part part) {
    var random = new Random(part.name().hashCode());
    try (var arena = Arena.ofShared()) {
      var c = new AttentionCase(1, 4, 2, 3, 400, 32, 40, new Random(7));
      var under = session(Protection.CORRECT);
      Tensor q = AttentionCase.tensor(arena, c.q, Layout.HEADS_FIRST);
      Tensor out = Tensor.zeros(arena, DType.FLOAT32, 1, 4, 3, 40);
      try (var cache = fill(under.session(), arena, c, 0, 90)) {
        assertThat(under.session().verify(cache)).isEqualTo(Status.CLEAN);
        strike(cache.pages(), part, random);
        assertThat(under.session().verify(cache)).isEqualTo(Status.CORRECTED);
        assertThat(under.reports()).hasSize(1);
        assertThat(under.session().verify(cache)).isEqualTo(Status.CLEAN);
        assertThat(under.session().attention(q, List.of(cache), out, c.options(arena)))
            .isEqualTo(Status.CLEAN);
        requireCanonical(c, out);
      }
    }
  }

  /** Who only detects leaves what there is. */
  @ParameterizedTest
  @EnumSource(Part.class)
  void verifyingACacheMayOnlyDetect(Part part) {
    try (var arena = Arena.ofShared()) {
      var c = new AttentionCase(1, 4, 2, 3, 400, 32, 40, new Random(7));
      var under = session(Protection.DETECT);
      try (var cache = fill(under.session(), arena, c, 0, 90)) {
        assertThat(under.session().verify(cache)).isEqualTo(Status.CLEAN);
        strike(cache.pages(), part, new Random(part.name().hashCode()));
        assertThat(under.session().verify(cache)).isEqualTo(Status.DETECTED);
        assertThat(under.session().verify(cache)).isEqualTo(Status.DETECTED);
        assertThat(under.reports()).hasSize(2);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Part.class)
  void damageInPagesIsPutBack(Part part) {
    var random = new Random(part.name().hashCode());
    try (var arena = Arena.ofShared()) {
      for (int queries : new int[] {1, 3, 60}) {
        var c = new AttentionCase(1, 4, 2, queries, 400, 32, 40, new Random(7));
        var under = session(Protection.CORRECT);
        Tensor q = AttentionCase.tensor(arena, c.q, Layout.HEADS_FIRST);
        Tensor out = Tensor.zeros(arena, DType.FLOAT32, 1, 4, queries, 40);
        try (var cache = fill(under.session(), arena, c, 0, 90)) {
          for (int trial = 0; trial < 12; trial++) {
            under.reports().clear();
            strike(cache.pages(), part, random);
            Status status = under.session().attention(q, List.of(cache), out, c.options(arena));
            if (SessionUnderTest.isDeviceComputing() && part.liesIdle()) {
              // Its copy is what a device reads; of the pages, one is looked at in each call.
              Status verified = under.session().verify(cache);
              assertThat(EnumSet.of(status, verified))
                  .containsExactlyInAnyOrder(Status.CLEAN, Status.CORRECTED);
            } else {
              assertThat(status).as("%s, %d queries", part, queries).isEqualTo(Status.CORRECTED);
            }
            requireCanonical(c, out);
            assertThat(under.session().verify(cache)).isEqualTo(Status.CLEAN);
            status = under.session().attention(q, List.of(cache), out, c.options(arena));
            assertThat(status).isEqualTo(Status.CLEAN);
            requireCanonical(c, out);
          }
        }
      }
    }
  }

  private static void strike(KeyValuePages pages, Part part, Random random) {
    int page = random.nextInt(pages.pages());
    PackedB keys = pages.keys(page);
    PackedB values = pages.values(page);
    switch (part) {
      case KEYS -> flip(keys.panels(), random);
      case VALUES -> flip(values.panels(), random);
      case KEY_VECTOR -> flip(keys.records(), random);
      case VALUE_VECTOR -> flip(values.records(), random);
      case KEY_SEAL -> flip(keys.panelSeals(), random);
      case VALUE_SEAL -> flip(values.panelSeals(), random);
      case KEY_DIGEST -> flip(keys.panelDigests(), random);
      case VALUE_DIGEST -> flip(values.panelDigests(), random);
      case RECORD_SEAL -> flip(keys.recordSeals(), random);
    }
  }

  private static void flip(MemorySegment memory, Random random) {
    long word = random.nextLong(memory.byteSize() / 4);
    int before = memory.getAtIndex(ValueLayout.JAVA_INT, word);
    memory.setAtIndex(ValueLayout.JAVA_INT, word, before ^ 1 << random.nextInt(32));
  }

  private static void flip(long[] sums, Random random) {
    sums[random.nextInt(sums.length)] ^= 1L << random.nextInt(64);
  }

  /** What is sealed anew must not be sealed damaged. */
  @ParameterizedTest
  @EnumSource(Part.class)
  void damageIsPutBackBeforeAPageIsSealedAnew(Part part) {
    var random = new Random(part.name().hashCode());
    try (var arena = Arena.ofShared()) {
      // As many rows as kernels do not compare digests with.
      int queries = part == Part.KEYS || part == Part.KEY_VECTOR ? 1 : 100;
      var c = new AttentionCase(1, 2, 2, queries, 200, 16, 24, new Random(6));
      var under = session(Protection.CORRECT);
      Session session = under.session();
      Tensor k = AttentionCase.tensor(arena, c.k, Layout.HEADS_FIRST);
      Tensor v = AttentionCase.tensor(arena, c.v, Layout.HEADS_FIRST);
      Tensor q = AttentionCase.tensor(arena, c.q, Layout.HEADS_FIRST);
      Tensor out = c.result(arena, Layout.HEADS_FIRST);
      for (int turn = 0; turn < 12; turn++) {
        try (var cache = session.cache(2, 16, 24)) {
          session.append(cache, k.slice(2, 0, 190), v.slice(2, 0, 190));
          strike(cache.pages(), part, random);
          if (turn % 2 == 0) {
            cache.truncate(100 + 8 * turn);
          }
          int kept = (int) cache.length();
          under.reports().clear();
          Status appended = session.append(cache, k.slice(2, kept, 200), v.slice(2, kept, 200));
          assertThat(appended == Status.CORRECTED).isEqualTo(!under.reports().isEmpty());
          Status status = session.attention(q, List.of(cache), out, c.options(arena));
          assertThat(status).isIn(Status.CLEAN, Status.CORRECTED);
          requireCanonical(c, out);
          if (SessionUnderTest.isDeviceComputing()) {
            assertThat(session.verify(cache)).isIn(Status.CLEAN, Status.CORRECTED); // what lay idle
          }
          assertThat(session.attention(q, List.of(cache), out, c.options(arena)))
              .as("nothing stays behind")
              .isEqualTo(Status.CLEAN);
          requireCanonical(c, out);
        }
      }
    }
  }

  @Test
  void whatChangesOnItsWayIntoACacheIsReadAgain() {
    try (var arena = Arena.ofShared()) {
      var c = new AttentionCase(1, 2, 2, 1, 140, 16, 16, new Random(10));
      var under = session(Protection.CORRECT);
      Session session = under.session();
      Tensor k = AttentionCase.tensor(arena, c.k, Layout.HEADS_FIRST);
      Tensor v = AttentionCase.tensor(arena, c.v, Layout.HEADS_FIRST);
      Tensor q = AttentionCase.tensor(arena, c.q, Layout.HEADS_FIRST);
      Tensor out = c.result(arena, Layout.HEADS_FIRST);
      for (UpsetKind kind : UpsetKind.values()) {
        try (var cache = session.cache(2, 16, 16)) {
          session.append(cache, k.slice(2, 0, 100), v.slice(2, 0, 100));
          under.reports().clear();
          var upset = new Upset(ProbePoint.CACHE_STAGED, 33, kind, new SplittableRandom(11));
          try (var _ = ProbeRelay.lend(upset)) {
            assertThat(session.append(cache, k.slice(2, 100, 140), v.slice(2, 100, 140)))
                .isEqualTo(Status.CORRECTED);
          }
          assertThat(under.reports()).hasSize(1);
          assertThat(session.attention(q, List.of(cache), out, c.options(arena)))
              .isEqualTo(Status.CLEAN);
          requireCanonical(c, out);
        }
      }
    }
  }

  @Test
  void anAppendThatBreaksOffLeavesTheCacheAsItWas() {
    try (var arena = Arena.ofShared()) {
      var c = new AttentionCase(1, 2, 2, 1, 100, 16, 16, new Random(9));
      Session session = session(Protection.CORRECT).session();
      Tensor q = AttentionCase.tensor(arena, c.q, Layout.HEADS_FIRST);
      Tensor out = c.result(arena, Layout.HEADS_FIRST);
      try (var cache = fill(session, arena, c, 0, 100)) {
        Tensor gone;
        try (var shortLived = Arena.ofShared()) {
          gone = Tensor.zeros(shortLived, DType.FLOAT32, 1, 2, 50, 16);
        }
        Tensor there = Tensor.zeros(arena, DType.FLOAT32, 1, 2, 50, 16);
        assertThatThrownBy(() -> session.append(cache, there, gone))
            .isInstanceOf(IllegalStateException.class);
        assertThat(cache.length()).isEqualTo(100);
        assertThat(session.attention(q, List.of(cache), out, c.options(arena)))
            .isEqualTo(Status.CLEAN);
        requireCanonical(c, out);
      }
    }
  }

  @Test
  void theEndOfASessionFreesItsCaches() {
    var session = Regolith.open(options -> options.threads(1));
    KeyValueCache cache = session.cache(1, 8, 8);
    session.close();
    assertThatThrownBy(cache::pages).hasMessageContaining("closed");
  }

  @Test
  void damageBeyondRepairIsThrown() {
    try (var arena = Arena.ofShared()) {
      var c = new AttentionCase(1, 2, 2, 1, 100, 16, 16, new Random(8));
      var under = session(Protection.CORRECT);
      Tensor q = AttentionCase.tensor(arena, c.q, Layout.HEADS_FIRST);
      Tensor out = c.result(arena, Layout.HEADS_FIRST);
      try (var cache = fill(under.session(), arena, c, 0, 100)) {
        MemorySegment memory = cache.pages().values(0).panels();
        for (int word = 0; word < 3; word++) {
          memory.setAtIndex(ValueLayout.JAVA_INT, 5 + word * 7L, 12345 * word);
        }
        Tensor logSums = Tensor.zeros(arena, DType.FLOAT32, 1, 2, 1);
        AttentionOptions options = c.options(arena).logSumExp(logSums);
        assertThatThrownBy(() -> under.session().attention(q, List.of(cache), out, options))
            .isInstanceOf(UncorrectableFaultException.class);
        assertThat(out.toArray()).containsOnly(Float.NaN);
        assertThat(logSums.toArray()).containsOnly(Float.NaN);
        assertThatThrownBy(() -> cache.truncate(50))
            .isInstanceOf(UncorrectableFaultException.class);
        assertThat(cache.length()).isEqualTo(100);
      }
    }
  }

  @Test
  void misuse() {
    try (var arena = Arena.ofShared()) {
      Session session = session(Protection.CORRECT).session();
      Tensor q = Tensor.zeros(arena, DType.FLOAT32, 1, 2, 1, 16);
      Tensor out = Tensor.zeros(arena, DType.FLOAT32, 1, 2, 1, 16);
      var o = AttentionOptions.defaults();
      try (var cache = session.cache(2, 16, 16)) {
        assertThat(session.attention(q, List.of(cache), out, o)).isEqualTo(Status.CLEAN);
        assertThat(out.toArray()).containsOnly(0);
        assertThatThrownBy(() -> session.attention(q, List.of(cache, cache), out, o))
            .hasMessageContaining("1 sequences, but there are 2 caches");
        assertThatThrownBy(() -> session.attention(q, List.of(cache), out, o.keyLengths(1)))
            .hasMessageContaining("a cache knows its length");
        assertThatThrownBy(
                () -> session.append(cache, q, Tensor.zeros(arena, DType.FLOAT32, 1, 2, 2, 16)))
            .hasMessageContaining("do not fit a cache");
        assertThatThrownBy(() -> cache.truncate(1)).hasMessageContaining("holds 0 keys");
      }
      KeyValueCache gone = session.cache(2, 16, 16);
      gone.close();
      assertThatThrownBy(() -> session.append(gone, q, q)).hasMessageContaining("closed");
      assertThatThrownBy(() -> session.cache(0, 16, 16)).hasMessageContaining("1 head or more");
    }
  }

  private static int[] bits(Tensor tensor) {
    float[] x = tensor.toArray();
    var bits = new int[x.length];
    Arrays.setAll(bits, i -> Float.floatToIntBits(x[i]));
    return bits;
  }
}
