package dev.regolith.jmh.machine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** The data caches of the first core, where Linux tells them. */
public final class Caches {
  private static final Path FOLDER = Path.of("/sys/devices/system/cpu/cpu0/cache");
  private static final long DEFAULT_LAST_LEVEL = 32L << 20;

  /**
   * A cache.
   *
   * @param level 1 is next to the core
   * @param bytes its size
   * @param shared which processors share it, as in {@code 0-1}
   */
  public record Cache(int level, long bytes, String shared) {}

  private Caches() {}

  /** Caches that hold data, nearest first; empty where nobody tells. */
  public static List<Cache> read() {
    return read(FOLDER);
  }

  static List<Cache> read(Path folder) {
    var caches = new ArrayList<Cache>();
    try (var entries = Files.newDirectoryStream(folder, "index*")) {
      for (Path entry : entries) {
        if (!line(entry, "type").equals("Instruction")) {
          caches.add(
              new Cache(
                  Integer.parseInt(line(entry, "level")),
                  bytes(line(entry, "size")),
                  line(entry, "shared_cpu_list")));
        }
      }
    } catch (IOException | NumberFormatException e) {
      return List.of();
    }
    caches.sort(Comparator.comparingInt(Cache::level));
    return List.copyOf(caches);
  }

  /** Size of the last level; 32 MiB where nobody tells. */
  public static long lastLevelBytes() {
    var caches = read();
    return caches.isEmpty() ? DEFAULT_LAST_LEVEL : caches.getLast().bytes();
  }

  private static String line(Path entry, String name) throws IOException {
    return Files.readString(entry.resolve(name)).strip();
  }

  private static long bytes(String size) {
    long number = Long.parseLong(size.substring(0, size.length() - 1));
    return switch (size.charAt(size.length() - 1)) {
      case 'K' -> number << 10;
      case 'M' -> number << 20;
      default -> Long.parseLong(size);
    };
  }
}
