package dev.regolith.kernels.backend.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("once")
class ProgramCacheTest {
  private static final byte[] CONTENTS = {1, 2, 3, 4, 5};

  @TempDir private Path folder;

  @Test
  void whatWasKept() {
    var cache = new ProgramCache(folder.resolve("deeper"));
    String key = ProgramCache.key("a", "b");
    assertThat(cache.get(key)).isEmpty();
    cache.put(key, CONTENTS);
    assertThat(cache.get(key)).hasValue(CONTENTS);
    assertThat(cache.get(ProgramCache.key("ab"))).isEmpty();
    cache.put(key, new byte[0]);
    assertThat(cache.get(key)).hasValue(new byte[0]);
  }

  @Test
  void aChangedByteAnywhereMakesItAbsent() throws IOException {
    var cache = new ProgramCache(folder);
    cache.put("key", CONTENTS);
    byte[] file = Files.readAllBytes(folder.resolve("key"));
    for (int i = 0; i < file.length; i++) {
      byte[] damaged = file.clone();
      damaged[i] ^= 4;
      Files.write(folder.resolve("key"), damaged);
      assertThat(cache.get("key")).as("byte %d changed", i).isEmpty();
    }
    for (int length = 0; length < file.length; length++) {
      Files.write(folder.resolve("key"), Arrays.copyOf(file, length));
      assertThat(cache.get("key")).as("%d bytes left", length).isEmpty();
    }
    cache.put("key", CONTENTS);
    assertThat(cache.get("key")).hasValue(CONTENTS);
  }

  @Test
  void aFolderThatCannotBe() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    var cache = new ProgramCache(file.resolve("under"));
    cache.put("key", CONTENTS);
    assertThat(cache.get("key")).isEmpty();
  }

  @Test
  void nothingButEntriesIsLeft() throws IOException {
    var cache = new ProgramCache(folder);
    cache.put("key", CONTENTS);
    cache.put("key", CONTENTS);
    try (var files = Files.list(folder)) {
      assertThat(files).containsExactly(folder.resolve("key"));
    }
  }
}
