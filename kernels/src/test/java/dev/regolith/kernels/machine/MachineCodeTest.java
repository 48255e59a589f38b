package dev.regolith.kernels.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.memory.Downcalls;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** Code that was written is called, on memory and arrays. */
@Tag("once")
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class MachineCodeTest {
  /** {@code memory[0] += more}, with a register that belongs to the caller. */
  private static byte[] adding() {
    var code = new Assembler(256, false);
    code.enter();
    code.move(Gpr.R15, Gpr.RDI);
    code.move(Gpr.RBX, new Memory(Gpr.R15, 0));
    code.add(Gpr.RBX, code.parameter(0));
    code.move(new Memory(Gpr.R15, 0), Gpr.RBX);
    code.leave();
    return code.bytes();
  }

  private static void add(MemorySegment memory, long more) throws Throwable {
    var call = MachineCode.caller(adding(), "plllll" + "l");
    call.invoke(memory, 0L, 0L, 0L, 0L, 0L, more);
  }

  @Test
  void linuxHasIt() {
    assertThat(MachineCode.absence()).isEmpty();
    assertThat(MachineCode.isDenied()).isFalse();
  }

  @Test
  void codeIsCalled() throws Throwable {
    var array = new long[] {5};
    add(MemorySegment.ofArray(array), 37);
    assertThat(array[0]).isEqualTo(42);
    try (var arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(8);
      add(memory, -1);
      assertThat(memory.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(-1);
    }
  }

  /** A function's own bytes lie between the caller's registers and its parameters. */
  @Test
  void aFunctionHasBytesOfItsOwn() throws Throwable {
    int bytes = 3000;
    var code = new Assembler(256, false);
    code.enter(bytes);
    code.move(Gpr.RBX, new Memory(Gpr.RDI, 0));
    code.own(Gpr.R12);
    code.move(new Memory(Gpr.RDI, 0), Gpr.R12);
    for (int at = 0; at < bytes; at += 8) {
      code.move(new Memory(Gpr.R12, at), Gpr.RBX);
    }
    code.move(Gpr.R13, code.parameter(0));
    code.multiply(Gpr.R13, Gpr.RBX);
    code.move(new Memory(Gpr.RDI, 8), Gpr.R13);
    code.leave();
    var results = new long[] {-3, 0};
    MachineCode.caller(code.bytes(), "pllllll")
        .invoke(MemorySegment.ofArray(results), 0L, 0L, 0L, 0L, 0L, 14L);
    assertThat(results[0]).isNotZero().matches(address -> address % 64 == 0);
    assertThat(results[1]).isEqualTo(-42);
  }

  @Test
  void aClosedArenaIsAnExceptionNotACrash() {
    MemorySegment closed;
    try (var arena = Arena.ofShared()) {
      closed = arena.allocate(8);
    }
    assertThatThrownBy(
            () -> {
              try {
                add(closed, 1);
              } catch (Throwable e) {
                throw Downcalls.unexpected(e);
              }
            })
        .isInstanceOf(IllegalStateException.class);
  }
}
