package dev.regolith.kernels.backend.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.PackedB;
import java.lang.foreign.Arena;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("device-only")
class DeviceCopiesTest {
  private static PackedB packed(Arena arena) {
    var packed = new PackedB(64);
    packed.allocate(arena, 100, 300);
    return packed;
  }

  /** Whoever fills a copy holds its monitor as long as that takes; others are none of its. */
  @Test
  void aCopyThatIsBeingMadeKeepsNobodyFromAnother() throws Exception {
    try (var context =
            new DeviceContext(TestDevice.api(), TestDevice.device(), ProgramCache.ofUser());
        var copies = new DeviceCopies(context, _ -> PanelForm.OF_HOST);
        var arena = Arena.ofShared();
        var caller = Executors.newSingleThreadExecutor()) {
      PackedB one = packed(arena);
      PackedB other = packed(arena);
      var pages = new KeyValuePages(1, 8, 8, 64, (_, _) -> {});
      DevicePanels busy = copies.take(one);
      synchronized (busy) {
        var others =
            caller.submit(() -> {
              copies.take(other).giveBack();
              copies.take(pages).giveBack();
              copies.take(one).giveBack();
              return true;
            });
        assertThat(others.get(1, TimeUnit.MINUTES)).isTrue();
      }
      busy.giveBack();
    }
  }

  /** A copy that somebody reads outlives its source. */
  @Test
  void whatIsReadIsNotFreed() {
    try (var context =
            new DeviceContext(TestDevice.api(), TestDevice.device(), ProgramCache.ofUser());
        var copies = new DeviceCopies(context, _ -> PanelForm.OF_HOST);
        var gemm = new DeviceQueue(context)) {
      long before = DeviceObject.alive();
      var arena = Arena.ofShared();
      PackedB source = packed(arena);
      DevicePanels copy = copies.take(source);
      copy.open(source, gemm, false);
      assertThat(DeviceObject.alive()).isEqualTo(before + 1);
      arena.close();
      try (var another = Arena.ofShared()) {
        copies.take(packed(another)).giveBack();
        assertThat(DeviceObject.alive()).isEqualTo(before + 1);
        copy.giveBack();
        copies.take(packed(another)).giveBack();
        assertThat(DeviceObject.alive()).isEqualTo(before);
      }
    }
  }
}
