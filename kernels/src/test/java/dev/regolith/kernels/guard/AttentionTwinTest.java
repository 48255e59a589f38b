package dev.regolith.kernels.guard;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.backend.scalar.ScalarGemm;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Proxy;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A second computation of a region agrees with the result, or does not, in every word. */
@Tag("once")
class AttentionTwinTest {
  private static final int HEADS = 3;
  private static final int QUERIES = 5;
  private static final int COLUMNS = 2;
  private static final int SEQUENCE = 1;

  private final Arena arena = Arena.ofConfined();
  private final AttentionProblem p = new AttentionProblem();
  private final AttentionRegion region = new AttentionRegion();

  @BeforeEach
  void open() {
    p.batch = 2;
    p.heads = HEADS;
    p.kvHeads = HEADS;
    p.queries = QUERIES;
    p.columns = COLUMNS;
    p.out = arena.allocate(4L * p.batch * HEADS * QUERIES * COLUMNS);
    p.outStride = 4;
    p.outRowStride = 4L * COLUMNS;
    p.outHeadStride = QUERIES * p.outRowStride;
    p.outBatchStride = HEADS * p.outHeadStride;
    p.lse = arena.allocate(4L * p.batch * HEADS * QUERIES);
    region.sequence = SEQUENCE;
    region.head = 1;
    region.heads = 2;
    region.query = 2;
    region.queries = 3;
    attend(p, region);
  }

  @AfterEach
  void close() {
    arena.close();
  }

  /** Stores a word of its own into every place of a region. */
  private static void attend(AttentionProblem p, AttentionRegion r) {
    for (int row = 0; row < r.rows(); row++) {
      int head = r.headOf(row);
      long query = r.queryOf(row);
      float word = 10f * head + query;
      for (int c = 0; c < p.columns; c++) {
        long at = p.result(r.sequence, head, query) + c * p.outStride;
        p.out.set(ValueLayout.JAVA_FLOAT, at, word + 0.25f * c);
      }
      if (p.lse.address() != 0) {
        p.lse.set(ValueLayout.JAVA_FLOAT, p.lseAt(r.sequence, head, query), -word);
      }
    }
  }

  private static Backend backend() {
    Class<?>[] interfaces = {Backend.class};
    return (Backend)
        Proxy.newProxyInstance(
            Backend.class.getClassLoader(),
            interfaces,
            (proxy, method, arguments) -> {
              if (method.getName().equals("newWorkspace")) {
                return new ScalarGemm().newWorkspace();
              }
              assertThat(arguments[2]).isInstanceOf(Workspace.class);
              assertThat(arguments[3]).isInstanceOf(AttentionSink.class);
              attend((AttentionProblem) arguments[0], (AttentionRegion) arguments[1]);
              return null;
            });
  }

  private static void flip(MemorySegment memory, long at) {
    memory.set(ValueLayout.JAVA_INT, at, memory.get(ValueLayout.JAVA_INT, at) ^ 1);
  }

  @Test
  void everyWordOfTheResultCounts() {
    var twin = new AttentionTwin(backend(), backend());
    twin.remember(p, region);
    assertThat(twin.reproduces(p, region)).isTrue();
    assertThat(twin.equalsRemembered(p, region)).isTrue();
    for (int row = 0; row < region.rows(); row++) {
      long at = p.result(SEQUENCE, region.headOf(row), region.queryOf(row)) + 4;
      flip(p.out, at);
      assertThat(twin.reproduces(p, region)).isFalse();
      assertThat(twin.equalsRemembered(p, region)).isFalse();
      flip(p.out, at);
    }
    assertThat(twin.reproduces(p, region)).isTrue();
  }

  @Test
  void everyLogarithmCounts() {
    var twin = new AttentionTwin(backend(), backend());
    twin.remember(p, region);
    for (int row = 0; row < region.rows(); row++) {
      long at = p.lseAt(SEQUENCE, region.headOf(row), region.queryOf(row));
      flip(p.lse, at);
      assertThat(twin.reproduces(p, region)).isFalse();
      assertThat(twin.equalsRemembered(p, region)).isFalse();
      flip(p.lse, at);
    }
    assertThat(twin.reproduces(p, region)).isTrue();
    assertThat(twin.equalsRemembered(p, region)).isTrue();
    flip(p.lse, p.lseAt(SEQUENCE, 0, 0)); // of another region
    assertThat(twin.reproduces(p, region)).isTrue();
  }

  @Test
  void nobodyAsksForLogarithms() {
    p.lse = MemorySegment.NULL;
    var twin = new AttentionTwin(backend(), backend());
    twin.remember(p, region);
    assertThat(twin.reproduces(p, region)).isTrue();
    assertThat(twin.equalsRemembered(p, region)).isTrue();
  }
}
