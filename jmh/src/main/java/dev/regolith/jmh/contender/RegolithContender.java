package dev.regolith.jmh.contender;

import dev.regolith.jmh.exercise.Exercise;
import dev.regolith.jmh.rows.Row;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;

/** This library, one call a run. */
public final class RegolithContender implements Contender {
  private final Sessions sessions;
  private final Protection protection;

  /** With this protection. */
  public RegolithContender(Sessions sessions, Protection protection) {
    this.sessions = sessions;
    this.protection = protection;
  }

  @Override
  public Impl impl() {
    return new Impl(Impl.REGOLITH, protection.name());
  }

  @Override
  public List<Way> ways(Row row) {
    return List.of(Way.ofAny("", this::prepare));
  }

  private Computation prepare(Row row, Exercise exercise, Arena arena) {
    var session = sessions.get(protection, row.threads());
    var operands = SessionOperands.of(session, row, exercise, arena);
    return new Result(operands, operands.newOutput());
  }

  private record Result(SessionOperands operands, Tensor output) implements Computation {
    @Override
    public void run() {
      operands.advance();
      if (operands.compute(output) != Status.CLEAN) {
        throw new IllegalStateException("a fault was found while it was timed");
      }
    }

    @Override
    public void spoil() {
      operands.spoil(output);
    }

    @Override
    public float[] result() {
      return output.toArray();
    }
  }
}
