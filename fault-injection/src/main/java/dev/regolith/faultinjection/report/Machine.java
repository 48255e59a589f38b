package dev.regolith.faultinjection.report;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Where a campaign ran, as far as it matters to a reader.
 *
 * @param jdk the Java runtime
 * @param os the operating system and processor architecture
 * @param cores the processors that the runtime sees
 */
public record Machine(String jdk, String os, int cores) {

  /** This machine. */
  public static Machine current() {
    return new Machine(
        Runtime.version() + " (" + System.getProperty("java.vm.name", "unknown VM") + ")",
        System.getProperty("os.name", "unknown") + " " + System.getProperty("os.arch", ""),
        Runtime.getRuntime().availableProcessors());
  }

  Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("jdk", jdk);
    map.put("os", os);
    map.put("cores", cores);
    return map;
  }
}
