package dev.regolith.jmh.peer;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;

/**
 * Where the shared objects of the peers lie: the folder {@code peers} beside this jar, into which
 * the Maven profile of that name unpacks them, or the one that the system property {@value
 * #PROPERTY} names.
 */
final class PeerFolder {
  static final String PROPERTY = "dev.regolith.jmh.peers";

  private PeerFolder() {}

  static Path path() {
    String chosen = System.getProperty(PROPERTY);
    if (chosen != null) {
      return Path.of(chosen);
    }
    try {
      var code = PeerFolder.class.getProtectionDomain().getCodeSource().getLocation().toURI();
      return Path.of(code).resolveSibling("peers");
    } catch (URISyntaxException e) {
      throw new IllegalStateException("code was loaded from no place in the file system", e);
    }
  }

  /** The file of this name, in the folder or below. */
  static Path find(String fileName) throws PeerAbsentException {
    Path folder = path();
    if (!Files.isDirectory(folder)) {
      throw new PeerAbsentException(
          "there is no folder %s; `mvn package -Ppeers` makes it on Linux on x86-64"
              .formatted(folder));
    }
    try (var files = Files.walk(folder)) {
      return files
          .filter(file -> file.getFileName().toString().equals(fileName))
          .min(Comparator.naturalOrder())
          .orElseThrow(() -> new PeerAbsentException("no %s in %s".formatted(fileName, folder)));
    } catch (IOException e) {
      throw new PeerAbsentException("%s cannot be read: %s".formatted(folder, e.getMessage()));
    }
  }
}
