package dev.regolith.jmh.peer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AbsentPeersTest {
  @Test
  void whoIsNotThereIsListedWithTheReason(@TempDir Path folder) throws Exception {
    Files.writeString(folder.resolve("libgomp.so.1"), "no library");
    System.setProperty(PeerFolder.PROPERTY, folder.toString());
    Peers peers = Peers.open(Set.of("oneDNN", "OpenBLAS", "PyTorch", "ONNXRuntime"));
    assertThat(peers.present()).isEmpty();
    assertThat(peers.absent().get("oneDNN")).contains("cannot be loaded", "libgomp.so.1");
    assertThat(peers.absent().get("OpenBLAS")).contains("no libquadmath.so.0 in " + folder);
    assertThat(peers.absent().get("MKL")).isEqualTo(Peers.NOT_ASKED);
    assertThat(peers.absent().get("PyTorch")).contains("cannot be loaded", "libgomp.so.1");
    assertThat(peers.absent().get("ONNXRuntime")).contains("no libonnxruntime.so in " + folder);
    // A second attempt in the same JVM is refused in words, too.
    assertThat(Peers.open(Set.of("oneDNN")).absent()).containsKey("oneDNN");

    System.setProperty(PeerFolder.PROPERTY, folder.resolve("nowhere").toString());
    assertThat(Peers.open(Set.of("MKL")).absent().get("MKL"))
        .contains("there is no folder", "-Ppeers");
  }
}
