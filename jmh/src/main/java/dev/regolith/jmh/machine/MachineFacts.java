package dev.regolith.jmh.machine;

import dev.regolith.kernels.Machine;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Where a run took place.
 *
 * @param cpu name of the processor
 * @param cores processors that the runtime sees
 * @param caches data caches of a core
 * @param memoryBytes memory of the machine; 0 if unknown
 * @param hugePageBytes of the pages that large operands lie in, ours and peers' alike; 0 if small
 *     ones
 * @param os operating system and architecture
 * @param jdk the Java runtime
 * @param flags the flags of the measuring JVMs
 * @param load average number of busy processors over the last minute before the run; negative if
 *     unknown
 */
public record MachineFacts(
    String cpu,
    int cores,
    List<Caches.Cache> caches,
    long memoryBytes,
    long hugePageBytes,
    String os,
    String jdk,
    List<String> flags,
    double load) {

  /** This machine. */
  public static MachineFacts current() {
    return new MachineFacts(
        firstValue("/proc/cpuinfo", "model name", "unknown"),
        Runtime.getRuntime().availableProcessors(),
        Caches.read(),
        1024 * number(firstValue("/proc/meminfo", "MemTotal", "0")),
        Machine.hugePageBytes().orElse(0),
        "%s %s, %s"
            .formatted(
                System.getProperty("os.name", "unknown"),
                System.getProperty("os.version", ""),
                System.getProperty("os.arch", "")),
        Runtime.version() + " (" + System.getProperty("java.vm.name", "unknown VM") + ")",
        ownFlags(),
        ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage());
  }

  /** Memory that can be had now; 4 GiB where nobody tells. */
  public static long availableBytes() {
    return 1024 * number(firstValue("/proc/meminfo", "MemAvailable", "4194304"));
  }

  /** The flags that this JVM was started with, which are those of the JVMs that it starts. */
  public static List<String> ownFlags() {
    return ManagementFactory.getRuntimeMXBean().getInputArguments();
  }

  /** For {@code bench.json}. */
  public Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("cpu", cpu);
    map.put("cores", cores);
    List<Map<String, Object>> list = new ArrayList<>();
    for (Caches.Cache cache : caches) {
      Map<String, Object> entry = new LinkedHashMap<>();
      entry.put("level", cache.level());
      entry.put("bytes", cache.bytes());
      entry.put("sharedBy", cache.shared());
      list.add(entry);
    }
    map.put("caches", list);
    map.put("memoryBytes", memoryBytes);
    map.put("hugePageBytes", hugePageBytes);
    map.put("os", os);
    map.put("jdk", jdk);
    map.put("flags", flags);
    map.put("loadBefore", load);
    return map;
  }

  private static String firstValue(String file, String key, String otherwise) {
    try (var lines = Files.lines(Path.of(file))) {
      return lines
          .filter(line -> line.startsWith(key) && line.indexOf(':') > 0)
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse(otherwise);
    } catch (IOException e) {
      return otherwise;
    }
  }

  private static long number(String text) {
    String digits = text.replaceAll("\\D", "");
    return digits.isEmpty() ? 0 : Long.parseLong(digits);
  }
}
