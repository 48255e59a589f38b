package dev.regolith.faultinjection.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A trained model with a text to run it on: the bundled one, whose origin is told in the {@code
 * README.md} beside it in the resources, or one from a folder. Immutable.
 */
public final class TrainedModel {
  private static final String WEIGHTS = "model.safetensors";
  private static final String CONFIG = "config.json";
  private static final String TEXT = "heldout.txt";

  private final String origin;
  private final String sha256;
  private final LlamaModel network;
  private final byte[] text;

  private TrainedModel(String origin, LlamaConfig config, SafeTensors weights, byte[] text) {
    this.origin = origin;
    this.sha256 = weights.sha256();
    this.network = new LlamaModel(config, LlamaWeights.read(weights, config));
    this.text = text;
  }

  /** The model that comes with this module. */
  public static TrainedModel bundled() {
    LlamaConfig config = LlamaConfig.parse(CONFIG, resource(CONFIG));
    SafeTensors weights = SafeTensors.of(WEIGHTS, MemorySegment.ofArray(resource(WEIGHTS)));
    return new TrainedModel("bundled", config, weights, resource(TEXT));
  }

  /**
   * A model from a folder that holds {@code model.safetensors}, {@code config.json} and, if it
   * likes, {@code heldout.txt}; without it the text is the bundled one. The files are not needed
   * afterwards.
   *
   * @throws ModelFileException if a file is missing, broken, or of a model that cannot be run here
   * @throws UncheckedIOException if a file cannot be read
   */
  public static TrainedModel read(Path folder) {
    Path weights = required(folder, WEIGHTS);
    Path config = required(folder, CONFIG);
    Path text = folder.resolve(TEXT);
    try (var arena = Arena.ofConfined()) {
      return new TrainedModel(
          folder.toString(),
          LlamaConfig.parse(config.toString(), Files.readAllBytes(config)),
          SafeTensors.open(weights, arena),
          Files.exists(text) ? text(text) : resource(TEXT));
    } catch (IOException unreadable) {
      throw new UncheckedIOException(
          "cannot read the model in %s: %s".formatted(folder, unreadable), unreadable);
    }
  }

  /** {@code bundled}, or the folder it was read from. */
  public String origin() {
    return origin;
  }

  /** SHA-256 of the file of weights, in hexadecimal: says which model this is. */
  public String sha256() {
    return sha256;
  }

  /** The model itself. */
  public LlamaModel network() {
    return network;
  }

  /** A text in the language the model was trained on, not part of its training; a new array. */
  public byte[] text() {
    return text.clone();
  }

  private static Path required(Path folder, String name) {
    Path file = folder.resolve(name);
    if (!Files.isRegularFile(file)) {
      throw new ModelFileException(
          folder.toString(),
          "a folder with " + WEIGHTS + " and " + CONFIG,
          Files.isDirectory(folder) ? "no " + name : "no such folder",
          "give the folder of a Llama model in safetensors format");
    }
    return file;
  }

  private static byte[] text(Path file) throws IOException {
    byte[] text = Files.readAllBytes(file);
    if (text.length == 0) {
      throw new ModelFileException(
          file.toString(),
          "a text of at least one byte",
          "an empty file",
          "remove it to use the bundled text");
    }
    return text;
  }

  private static byte[] resource(String name) {
    try (var stream = TrainedModel.class.getResourceAsStream(name)) {
      if (stream == null) {
        throw new IllegalStateException(
            "expected the resource %s in this module, found none: build it again".formatted(name));
      }
      return stream.readAllBytes();
    } catch (IOException unreadable) {
      throw new UncheckedIOException("cannot read the bundled " + name, unreadable);
    }
  }
}
