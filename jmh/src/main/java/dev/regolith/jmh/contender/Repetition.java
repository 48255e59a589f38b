package dev.regolith.jmh.contender;

import dev.regolith.jmh.exercise.Exercise;
import dev.regolith.jmh.rows.Row;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The alternatives to checksums and seals: computing everything two or three times without
 * protection and comparing the bits. They notice wrong arithmetic; not damage that all computations
 * read, such as a changed weight.
 */
public final class Repetition implements Contender {
  private final Sessions sessions;
  private final int times;

  private Repetition(Sessions sessions, int times) {
    this.sessions = sessions;
    this.times = times;
  }

  /** Computes twice and compares: notices, cannot tell which one is right. */
  public static Repetition twice(Sessions sessions) {
    return new Repetition(sessions, 2);
  }

  /** Computes three times and takes what two agree on. */
  public static Repetition vote(Sessions sessions) {
    return new Repetition(sessions, 3);
  }

  @Override
  public Impl impl() {
    return times == 2 ? Impl.TWICE : Impl.VOTE;
  }

  @Override
  public List<Way> ways(Row row) {
    return List.of(Way.ofAny("", this::prepare));
  }

  private Computation prepare(Row row, Exercise exercise, Arena arena) {
    var session = sessions.get(Protection.OFF, row.threads());
    var operands = SessionOperands.of(session, row, exercise, arena);
    var outputs = IntStream.range(0, times).mapToObj(i -> operands.newOutput()).toList();
    return new Copies(
        operands, outputs, outputs.stream().map(output -> output.segment().asReadOnly()).toList());
  }

  private record Copies(
      SessionOperands operands, List<Tensor> outputs, List<MemorySegment> memories)
      implements Computation {
    @Override
    public void run() {
      operands.advance();
      for (int i = 0; i < outputs.size(); i++) {
        if (operands.compute(outputs.get(i)) != Status.CLEAN) {
          throw new IllegalStateException("a fault was found while it was timed");
        }
      }
      // Without a fault a vote has nothing to do but to compare each with the first.
      for (int i = 1; i < memories.size(); i++) {
        if (memories.getFirst().mismatch(memories.get(i)) >= 0) {
          throw new IllegalStateException("two computations differ");
        }
      }
    }

    @Override
    public void spoil() {
      outputs.forEach(operands::spoil);
    }

    @Override
    public float[] result() {
      return outputs.getFirst().toArray();
    }
  }
}
