package dev.regolith.jmh.contender;

import dev.regolith.jmh.product.Problem;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.rows.Shape;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;

/** This library, one product a call. */
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
    return row.sizes() instanceof Shape ? List.of(Way.of("", this::prepare)) : List.of();
  }

  private Computation prepare(Row row, Problem problem, Arena arena) {
    var session = sessions.get(protection, row.threads());
    var operands = new SessionOperands(session, row, problem, arena);
    return new Product(operands, operands.newOutput());
  }

  private record Product(SessionOperands operands, Tensor c) implements Computation {
    @Override
    public void run() {
      operands.advance();
      if (operands.multiply(c) != Status.CLEAN) {
        throw new IllegalStateException("a fault was found while it was timed");
      }
    }

    @Override
    public void spoil() {
      operands.spoil(c);
    }

    @Override
    public float[] result() {
      return c.toArray();
    }
  }
}
