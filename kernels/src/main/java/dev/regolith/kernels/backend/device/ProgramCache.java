package dev.regolith.kernels.backend.device;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;

/**
 * Compiled programs and measured choices on disk, each in a file named by what it depends on, with
 * a SHA-256 of its contents in front. What does not fit its hash is taken for absent, and made
 * again. In {@code -Ddev.regolith.kernels.cache}, or {@code regolith} in the user's cache folder.
 *
 * <p>A folder that cannot be written costs time and nothing else, so that is told once, as advice.
 */
final class ProgramCache {
  private static final String PROPERTY = "dev.regolith.kernels.cache";
  private static final int HASH = 32;

  private final Path folder;
  private boolean complained;

  ProgramCache(Path folder) {
    this.folder = folder;
  }

  /** The cache of this user. */
  static ProgramCache ofUser() {
    String named = System.getProperty(PROPERTY);
    if (named != null) {
      return new ProgramCache(Path.of(named));
    }
    String xdg = System.getenv("XDG_CACHE_HOME");
    Path caches =
        xdg != null && !xdg.isBlank()
            ? Path.of(xdg)
            : Path.of(System.getProperty("user.home", "."), ".cache");
    return new ProgramCache(caches.resolve("regolith"));
  }

  /** A name for what depends on so many things. */
  static String key(String... things) {
    MessageDigest digest = sha256();
    for (String thing : things) {
      digest.update(thing.getBytes(StandardCharsets.UTF_8));
      digest.update((byte) 0);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** A name for contents. */
  static String hash(byte[] contents) {
    return HexFormat.of().formatHex(sha256().digest(contents));
  }

  /** What was kept under a key, if it is there and intact. */
  Optional<byte[]> get(String key) {
    try {
      byte[] file = Files.readAllBytes(folder.resolve(key));
      if (file.length < HASH) {
        return Optional.empty();
      }
      byte[] contents = Arrays.copyOfRange(file, HASH, file.length);
      boolean intact = Arrays.equals(file, 0, HASH, sha256().digest(contents), 0, HASH);
      return intact ? Optional.of(contents) : Optional.empty();
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      complain(e);
      return Optional.empty();
    }
  }

  /** Keeps something; a reader sees all of it or nothing. */
  synchronized void put(String key, byte[] contents) {
    try {
      Files.createDirectories(folder);
      Path part = Files.createTempFile(folder, "part", "");
      byte[] file = Arrays.copyOf(sha256().digest(contents), HASH + contents.length);
      System.arraycopy(contents, 0, file, HASH, contents.length);
      try {
        Files.write(part, file);
        Files.move(
            part,
            folder.resolve(key),
            StandardCopyOption.ATOMIC_MOVE,
            StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Files.deleteIfExists(part);
      }
    } catch (IOException e) {
      complain(e);
    }
  }

  private synchronized void complain(IOException e) {
    if (!complained) {
      complained = true;
      System.getLogger("dev.regolith.kernels")
          .log(
              System.Logger.Level.WARNING,
              "compiled kernels cannot be kept in "
                  + folder
                  + " and are made again in every JVM ("
                  + e
                  + "); name another folder with -D"
                  + PROPERTY);
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has SHA-256", e);
    }
  }
}
