package dev.regolith.kernels;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.cuda.Cuda;
import dev.regolith.kernels.backend.device.DeviceApi;
import dev.regolith.kernels.backend.device.DeviceBackend;
import dev.regolith.kernels.backend.device.DeviceInfo;
import dev.regolith.kernels.backend.opencl.OpenCl;
import dev.regolith.kernels.backend.scalar.ScalarGemm;
import dev.regolith.kernels.backend.vector.VectorGemm;
import dev.regolith.kernels.exec.FloatingPointMode;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.machine.MachineCode;
import java.util.HashSet;
import java.util.Set;

/**
 * The one place that decides what computes, what it refuses, and what it tells the user. Every
 * announcement is made once per JVM and names the remedy.
 */
final class Backends {
  private static final System.Logger LOGGER = System.getLogger("dev.regolith.kernels");
  private static final String PROPERTY = "dev.regolith.kernels.compute";
  private static final Set<String> ANNOUNCED = new HashSet<>();

  private Backends() {}

  static Backend choose(SessionOptions options) {
    boolean strict = options.strict();
    Compute compute = options.compute() == Compute.BEST ? named() : options.compute();
    return switch (compute) {
      case BEST, VECTOR -> fastest(compute, strict);
      case SCALAR -> new ScalarGemm();
      case OPENCL, CUDA -> {
        Backend host = fastest(Compute.BEST, strict);
        boolean onDevice = options.evidence() == EvidenceLevel.DEVICE;
        var api = api(compute);
        yield DeviceBackend.open(
            api,
            options.device(),
            host,
            onDevice,
            device -> announceDeviation(api, device, strict));
      }
    };
  }

  private static void announceDeviation(DeviceApi api, DeviceInfo device, boolean strict) {
    if (!device.deviation().isEmpty()) {
      boolean flushes = device.lacks().contains(DeviceInfo.Lack.SUBNORMALS);
      announce(
          "%s device %s has %s, as its driver says: products are not promised to be in the CPU's bits"
                  .formatted(api.name(), device.name(), device.deviation())
              + (flushes ? ", numbers below 2^-126 may count as zero" : "")
              + " (docs/accelerators.md, \"Other bits\"), and attention and row operators are the"
              + " CPU's; name another device (SessionOptions.device) or have the CPU compute",
          strict);
    }
  }

  /** The way to the devices that {@code compute} names. */
  static DeviceApi api(Compute compute) {
    return switch (compute) {
      case OPENCL -> new OpenCl();
      case CUDA -> new Cuda();
      default -> throw new IllegalArgumentException(compute + " is no accelerator");
    };
  }

  private static Compute named() {
    try {
      return Compute.named(System.getProperty(PROPERTY, Compute.BEST.name()));
    } catch (IllegalArgumentException e) {
      throw new IllegalStateException("-D" + PROPERTY + ": " + e.getMessage(), e);
    }
  }

  /** What computes on the CPU. */
  private static Backend fastest(Compute compute, boolean strict) {
    if (!vectorModulePresent()) {
      String missing =
          "the module jdk.incubator.vector is missing, so plain Java computes, many times"
              + " slower; start java with --add-modules jdk.incubator.vector";
      if (compute == Compute.VECTOR) {
        throw new IllegalStateException(missing);
      }
      announce(missing, strict);
      return new ScalarGemm();
    }
    if (System.getProperty("java.vm.info", "").contains("interpreted")) {
      announce(
          "the JVM interprets (-Xint): vectors are emulated, very slowly; leave -Xint out", strict);
    }
    if ("0".equals(System.getProperty("jdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK"))) {
      announce(
          "bounds checks of vector accesses are off for this JVM"
              + " (jdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK=0), so an upset in an index could"
              + " read or write anywhere; leave the property out",
          strict);
    }
    String wanted = System.getProperty(MachineCode.PROPERTY, "on");
    if (!wanted.equals("on") && !wanted.equals("off")) {
      throw new IllegalStateException(
          "-D" + MachineCode.PROPERTY + " is on or off, not \"" + wanted + "\"");
    }
    String denied = VectorGemm.denied();
    if (!denied.isEmpty()) {
      announce(
          "kernels run as bytecode, slower than in their own instructions: "
              + denied
              + ", or decline them with -D"
              + MachineCode.PROPERTY
              + "=off",
          strict);
    }
    return new VectorGemm();
  }

  static boolean vectorModulePresent() {
    return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
  }

  /** Called by every thread that is going to compute. */
  static void checkThread(boolean strict) {
    if (!FloatingPointMode.keepsSubnormals()) {
      announce(
          "native code switched thread "
              + Thread.currentThread().getName()
              + " to flush-to-zero; results below 2^-126 would be zero instead of IEEE 754. Restore"
              + " the mode (MXCSR, FPCR) after the native call",
          strict);
    }
  }

  static void announce(String message, boolean refuse) {
    if (refuse) {
      throw new IllegalStateException(message);
    }
    synchronized (ANNOUNCED) {
      if (!ANNOUNCED.add(message)) {
        return;
      }
    }
    LOGGER.log(System.Logger.Level.WARNING, message);
  }
}
