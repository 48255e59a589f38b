package dev.regolith.faultinjection.doctor;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.regolith.faultinjection.cli.Doctor;
import dev.regolith.kernels.Accelerator;
import dev.regolith.kernels.Machine;
import dev.regolith.kernels.SessionOptions.Compute;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;
import java.util.stream.Stream;

/** Says what of the library works here, and how well. */
public final class KernelsDoctor implements Doctor {
  private static final double SLOW = 0.6;

  /** Behind the key of devices where there are none: why. */
  private static final String MISSING = "Missing";

  @Override
  public int examine(boolean json, PrintWriter out) {
    SelfCheck check = SelfCheck.run();
    Map<String, Object> findings = findings(check);
    out.println(json ? json(findings) : text(findings));
    return check.healthy() ? 0 : 1;
  }

  private static Map<String, Object> findings(SelfCheck check) {
    var map = new LinkedHashMap<String, Object>();
    map.put("java", Runtime.version().toString());
    map.put("vm", System.getProperty("java.vm.name") + ", " + System.getProperty("java.vm.info"));
    map.put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
    map.put("cores", Runtime.getRuntime().availableProcessors());
    map.put("heapMegabytes", Runtime.getRuntime().maxMemory() / 1_000_000);
    map.put("hugePageKilobytes", Machine.hugePageBytes().orElse(0) / 1024);
    map.put("backend", check.backend());
    map.put(
        "vectorBackend",
        Machine.hasVectorModule()
            ? "works"
            : "missing: start java with --add-modules jdk.incubator.vector");
    map.put("scalarBackend", "works");
    for (Compute compute : accelerators().toList()) {
      List<Map<String, Object>> devices = devices(compute);
      map.put(key(compute), devices);
      if (devices.isEmpty()) {
        map.put(key(compute) + MISSING, Accelerator.remedy(compute));
      }
    }
    map.put("bitsRight", check.bitsRight());
    map.put("faultCorrected", check.faultCorrected());
    map.put("protectedGflops", round(check.gflops()));
    if (!Double.isNaN(check.fmaPeak())) {
      double share = check.gflops() / check.fmaPeak();
      map.put("fmaPeakGflops", round(check.fmaPeak()));
      map.put("percentOfPeak", round(100 * share));
      if (share < SLOW) {
        map.put(
            "speedNote",
            "under 60 % of the peak: is the machine busy, or the JVM started with unusual flags?");
      }
    }
    map.put("healthy", check.healthy());
    return map;
  }

  private static Stream<Compute> accelerators() {
    return Arrays.stream(Compute.values()).filter(Compute::isAccelerator);
  }

  /** Under which the devices of a backend stand. */
  private static String key(Compute compute) {
    return compute.name().toLowerCase(Locale.ROOT) + "Devices";
  }

  private static List<Map<String, Object>> devices(Compute compute) {
    return Accelerator.all(compute).stream().map(KernelsDoctor::device).toList();
  }

  private static Map<String, Object> device(Accelerator device) {
    var map = new LinkedHashMap<String, Object>();
    map.put("number", device.number());
    map.put("name", device.device());
    map.put("kind", device.kind());
    map.put("platform", device.platform());
    map.put("driver", device.driver());
    map.put("computeUnits", device.computeUnits());
    map.put("megahertz", device.megahertz());
    map.put("memoryMegabytes", device.memoryBytes() / 1_000_000);
    map.put("largestBufferMegabytes", device.largestBufferBytes() / 1_000_000);
    map.put("localMemoryKilobytes", device.localMemoryBytes() / 1000);
    map.put("largestWorkGroup", device.largestWorkGroup());
    map.put("vectorWidth", device.vectorWidth());
    map.put("usable", usable(device));
    return map;
  }

  private static String usable(Accelerator device) {
    if (!device.hindrance().isEmpty()) {
      return "no: " + device.hindrance();
    }
    return device.deviation().isEmpty()
        ? "yes"
        : "for products, in other bits than the CPU's: " + device.deviation();
  }

  private static double round(double value) {
    return Math.round(value * 10) / 10.0;
  }

  private static String text(Map<String, Object> findings) {
    var text = new StringBuilder();
    findings.forEach((key, value) -> {
      if (key.endsWith(MISSING)) {
        line(text, words(key.substring(0, key.length() - MISSING.length())), "none: " + value);
      } else if (!(value instanceof List<?> list)) {
        line(text, words(key), value);
      } else {
        list.forEach(each -> line(text, words(key), inWords(each)));
      }
    });
    return text.toString().stripTrailing();
  }

  private static void line(StringBuilder text, String key, Object value) {
    text.append("%-18s %s%n".formatted(key, value));
  }

  /** {@code number 0, name ...}. */
  private static String inWords(Object device) {
    var words = new StringJoiner(", ");
    if (device instanceof Map<?, ?> map) {
      map.forEach((key, value) -> words.add(words(key.toString()) + " " + value));
    }
    return words.toString();
  }

  /** {@code protectedGflops} reads as {@code protected gflops}. */
  private static String words(String key) {
    return key.replaceAll("([a-z])([A-Z])", "$1 $2").toLowerCase(Locale.ROOT);
  }

  private static String json(Map<String, Object> findings) {
    try {
      return JsonMapper.builder()
          .enable(SerializationFeature.INDENT_OUTPUT)
          .build()
          .writeValueAsString(findings);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("strings and numbers only", e);
    }
  }
}
