package dev.regolith.kernels.backend.device;

import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * Looks whether a device computes something as it is to be computed, before it may: once in a JVM
 * for each program, as long as no device was retired.
 */
final class Trial {
  private static final AtomicReference<Set<Object>> PASSED = new AtomicReference<>(none());

  private Trial() {}

  private static Set<Object> none() {
    return ConcurrentHashMap.newKeySet();
  }

  /**
   * Whether a program computes something right.
   *
   * @param question which program, and where: {@link KernelProgram#question}
   * @param sample computes it, if that has not been seen
   */
  static boolean passes(Object question, BooleanSupplier sample) {
    Set<Object> passed = PASSED.get(); // what is seen while others are forgotten is forgotten, too
    if (passed.contains(question)) {
      return true;
    }
    boolean right = sample.getAsBoolean();
    if (right) {
      passed.add(question);
    }
    return right;
  }

  /** A device was not what it seemed: programs are looked at anew, all of them. */
  static void forget() {
    PASSED.set(none());
  }

  /**
   * Compiles kernels, and has them compute something whose result is known. A device that cannot do
   * it may well do everything else; one that is lost shows that with the next command.
   *
   * @param question which program it is, and where: {@link #passes}
   * @param sample has it compute
   * @param whatDiffers said if the result is another
   * @param instead who does it then
   * @param announce told why not
   */
  static <P extends Parts.Part> Optional<P> open(
      Supplier<P> compiler,
      Function<P, Object> question,
      Predicate<P> sample,
      String whatDiffers,
      String instead,
      Consumer<String> announce) {
    try {
      P compiled = compiler.get();
      boolean right = false;
      try {
        right = passes(question.apply(compiled), () -> sample.test(compiled));
      } finally {
        if (!right) {
          compiled.close();
        }
      }
      if (right) {
        return Optional.of(compiled);
      }
      announce.accept(whatDiffers + "; " + instead);
    } catch (DeviceException e) {
      announce.accept(e.getMessage() + "; " + instead);
    }
    return Optional.empty();
  }
}
