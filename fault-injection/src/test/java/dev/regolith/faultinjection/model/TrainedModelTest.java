package dev.regolith.faultinjection.model;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The bundled model does what two other programs, in PyTorch and numpy, say it does. */
class TrainedModelTest {
  private static final TrainedModel BUNDLED = TrainedModel.bundled();
  private static final LlamaModel NETWORK = BUNDLED.network();
  private static final byte[] PROMPT = Arrays.copyOf(BUNDLED.text(), 64);

  /** Several times what was seen (1.6e-5): the last bits of exp, sin and cos vary with the JVM. */
  private static final float LOGIT_TOLERANCE = 1e-4f;

  private final JsonNode reference = new ObjectMapper().readTree(resource("reference.json"));

  TrainedModelTest() throws IOException {}

  @Test
  void hasTheSizeItClaims() {
    long linear =
        NETWORK.linearLayers().stream().mapToLong(layer -> (long) layer.in() * layer.out()).sum();
    long embedding = 256 * 256;
    long gains = (2 * 4 + 1) * 256;
    assertThat(linear + embedding + gains).isEqualTo(reference.get("params").asLong());
    assertThat(NETWORK.linearLayers()).hasSize(4 * 7 + 1);
    assertThat(new String(PROMPT, UTF_8)).isEqualTo(reference.get("prompt").asText());
    assertThat(BUNDLED.origin()).isEqualTo("bundled");
  }

  @Test
  void reproducesTheLossOnHeldOutText() {
    int windows = reference.get("heldout_windows").asInt();
    double expected = reference.get("heldout_nats_per_byte").asDouble();
    assertThat(Evaluation.natsPerByte(NETWORK, BUNDLED.text(), windows))
        .isCloseTo(expected, within(1e-6));
  }

  @Test
  void reproducesTheLogits() throws IOException {
    Matrix logits = NETWORK.logits(PROMPT);

    for (int i = 0; i < PROMPT.length; i++) {
      assertThat(Evaluation.argMax(logits, i))
          .isEqualTo(reference.get("argmax_per_position").get(i).asInt());
    }
    JsonNode last = reference.get("logits_last_position_first_16");
    for (int j = 0; j < last.size(); j++) {
      double expected = last.get(j).asDouble();
      assertThat((double) logits.at(PROMPT.length - 1, j))
          .isCloseTo(expected, within((double) LOGIT_TOLERANCE));
    }

    var exact = ByteBuffer.wrap(resource("reference_logits_64x256.f32"));
    exact.order(ByteOrder.LITTLE_ENDIAN);
    assertThat(exact.remaining()).isEqualTo(logits.values().length * Float.BYTES);
    for (float logit : logits.values()) {
      assertThat(logit).isCloseTo(exact.getFloat(), within(LOGIT_TOLERANCE));
    }
  }

  @Test
  void writesTheReferenceText() {
    byte[] written = Evaluation.greedy(NETWORK, PROMPT, 64);
    assertThat(new String(written, ISO_8859_1)).isEqualTo(reference.get("greedy_64").asText());
  }

  @Test
  void readsTheSameModelFromAFolder(@TempDir Path folder) throws IOException {
    Files.write(folder.resolve("model.safetensors"), resource("model.safetensors"));
    Files.write(folder.resolve("config.json"), resource("config.json"));
    TrainedModel read = TrainedModel.read(folder);

    assertThat(read.sha256()).isEqualTo(BUNDLED.sha256());
    assertThat(read.origin()).isEqualTo(folder.toString());
    assertThat(read.text()).isEqualTo(BUNDLED.text());
    assertThat(read.network().logits(PROMPT).values()).isEqualTo(NETWORK.logits(PROMPT).values());

    Files.write(folder.resolve("heldout.txt"), PROMPT);
    assertThat(TrainedModel.read(folder).text()).isEqualTo(PROMPT);
    Files.write(folder.resolve("heldout.txt"), new byte[0]);
    refused(folder, "heldout.txt: expected a text of at least one byte, found an empty file");
  }

  @Test
  void saysWhatAFolderLacks(@TempDir Path folder) throws IOException {
    refused(folder.resolve("none"), "found no such folder; give the folder of a Llama model");
    refused(folder, "found no model.safetensors");
    Files.write(folder.resolve("model.safetensors"), new TinyModel().bytes());
    refused(folder, "found no config.json");
    Files.write(folder.resolve("config.json"), resource("config.json"));
    refused(folder, "tensor model.embed_tokens.weight: expected shape [256, 256], found [256, 8]");
    Files.write(folder.resolve("model.safetensors"), new byte[5]);
    refused(folder, "found a file of 5 bytes");
  }

  private static void refused(Path folder, String message) {
    assertThatExceptionOfType(ModelFileException.class)
        .isThrownBy(() -> TrainedModel.read(folder))
        .withMessageStartingWith(folder.toString())
        .withMessageContaining(message);
  }

  private static byte[] resource(String name) throws IOException {
    try (var stream = TrainedModel.class.getResourceAsStream(name)) {
      return stream.readAllBytes();
    }
  }
}
