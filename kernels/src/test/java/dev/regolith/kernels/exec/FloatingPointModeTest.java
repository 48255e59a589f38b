package dev.regolith.kernels.exec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.regolith.kernels.machine.MachineCode;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Threads whose mode native code has changed. */
@Tag("once")
class FloatingPointModeTest {
  private static final int FLUSH_TO_ZERO = 1 << 15;
  private static final int DENORMALS_ARE_ZERO = 1 << 6;

  @ParameterizedTest
  @ValueSource(ints = {FLUSH_TO_ZERO, DENORMALS_ARE_ZERO, FLUSH_TO_ZERO | DENORMALS_ARE_ZERO})
  void whatFlushesIsFound(int bits) throws Throwable {
    assumeTrue(MachineCode.absence().isEmpty());
    MethodHandle store = MachineCode.caller(new byte[] {0x0F, (byte) 0xAE, 0x1F, (byte) 0xC3}, "p");
    MethodHandle load = MachineCode.caller(new byte[] {0x0F, (byte) 0xAE, 0x17, (byte) 0xC3}, "p");
    var mode = new int[1];
    store.invoke(MemorySegment.ofArray(mode)); // stmxcsr [rdi]
    var changed = new int[] {mode[0] | bits};
    assertThat(FloatingPointMode.keepsSubnormals()).isTrue();
    boolean keeps;
    load.invoke(MemorySegment.ofArray(changed)); // ldmxcsr [rdi]
    try {
      keeps = FloatingPointMode.keepsSubnormals();
    } finally {
      load.invoke(MemorySegment.ofArray(mode));
    }
    assertThat(keeps).isFalse();
    assertThat(FloatingPointMode.keepsSubnormals()).isTrue();
  }
}
