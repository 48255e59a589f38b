package dev.regolith.kernels.backend.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.memory.Storage;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A device that has no memory left when it is asked for some. */
@Tag("device-only")
class ShortageTest {
  /** The device of the tests, with a driver that refuses memory so many times. */
  private static final class FullDevice implements Device {
    private final Device real = TestDevice.device();
    int refusals;
    int asked;
    boolean lost;

    @Override
    public DeviceInfo info() {
      return real.info();
    }

    @Override
    public Driver open() {
      Driver driver = real.open();
      return new Driver() {
        @Override
        public DeviceObject newMemory(long bytes) {
          asked++;
          if (refusals > 0) {
            refusals--;
            throw new DeviceException("no memory", lost);
          }
          return driver.newMemory(bytes);
        }

        @Override
        public CommandQueue newQueue() {
          return driver.newQueue();
        }

        @Override
        public Compiled compile(String source, String options) {
          return driver.compile(source, options);
        }

        @Override
        public DeviceObject load(byte[] binary, String options) {
          return driver.load(binary, options);
        }

        @Override
        public String compiler() {
          return driver.compiler();
        }

        @Override
        public DeviceObject newKernel(DeviceObject program, String name) {
          return driver.newKernel(program, name);
        }

        @Override
        public void close() {
          driver.close();
        }
      };
    }
  }

  private final FullDevice device = new FullDevice();
  private final Arena arena = Arena.ofShared();
  private DeviceContext context;
  private DeviceResidence residence;
  private long before;

  @BeforeEach
  void open() {
    context = new DeviceContext(TestDevice.api(), device, ProgramCache.ofUser());
    residence = new DeviceResidence(context, _ -> {});
    before = DeviceObject.alive();
  }

  @AfterEach
  void close() {
    residence.close();
    context.close();
    arena.close();
  }

  private static Storage words(Arena of) {
    return Tensor.zeros(of, DType.FLOAT32, 100).storage();
  }

  private void allocate() {
    device.asked = 0;
    try (var memory = context.newBuffer(4000)) {
      assertThat(memory.handle()).isNotZero();
    }
  }

  /** Words whose arena is closed, of which there is nothing here, too. */
  @Test
  void wordsThatNobodyCanAskForAreFreed() {
    try (var closed = Arena.ofShared()) {
      Storage storage = words(closed);
      DeviceWords result = residence.reserve(storage);
      result.keepFor(storage, true);
    }
    device.refusals = 1;
    allocate();
    assertThat(device.asked).isEqualTo(2);
    assertThat(DeviceObject.alive()).isEqualTo(before);
  }

  /** A result that a kernel may still fill is nobody's to free, whatever became of its arena. */
  @Test
  void whatIsBeingFilledStays() {
    DeviceWords result;
    try (var closed = Arena.ofShared()) {
      result = residence.reserve(words(closed));
    }
    device.refusals = 1;
    assertThatThrownBy(this::allocate).isInstanceOf(DeviceException.class);
    assertThat(DeviceObject.alive()).isEqualTo(before + 1);
    result.release();
  }

  /** Copies of what is here, and memory that is kept for the next. */
  @Test
  void copiesAreFreed() {
    Storage storage = words(arena);
    assertThat(residence.upload(storage)).isTrue();
    residence.giveBack(residence.takeScratch(1 << 16));
    device.refusals = 1;
    allocate();
    assertThat(residence.wordsOf(storage)).isNull();
    assertThat(DeviceObject.alive()).isEqualTo(before);
  }

  /** What is nowhere else stays. */
  @Test
  void wordsThatAreOnlyThereStay() {
    Storage storage = words(arena);
    storage.segmentToWrite(false).setAtIndex(ValueLayout.JAVA_FLOAT, 7, 7);
    residence.upload(storage);
    storage.keep(residence.wordsOf(storage), true);
    device.refusals = 1;
    assertThatThrownBy(this::allocate).isInstanceOf(DeviceException.class);
    assertThat(storage.segment().getAtIndex(ValueLayout.JAVA_FLOAT, 7)).isEqualTo(7);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whereNothingCanBeFreedItIsSaid(boolean lost) {
    device.lost = lost;
    device.refusals = 1;
    assertThatThrownBy(this::allocate)
        .isInstanceOfSatisfying(
            DeviceException.class, e -> assertThat(e.isFatal()).isEqualTo(lost));
    assertThat(device.asked).isEqualTo(1);
    assertThat(DeviceObject.alive()).isEqualTo(before);
  }

  /** A lost device is not asked again, whatever could be freed. */
  @Test
  void aLostDeviceHasNoMemory() {
    residence.upload(words(arena));
    device.lost = true;
    device.refusals = 1;
    assertThatThrownBy(this::allocate).isInstanceOf(DeviceException.class);
    assertThat(device.asked).isEqualTo(1);
  }
}
