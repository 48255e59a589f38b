package dev.regolith.faultinjection.model;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;

/**
 * A file of named tensors in the <a
 * href="https://github.com/huggingface/safetensors#format">safetensors format</a>: the length of
 * the header in 8 bytes, little endian; the header, a JSON object that gives every tensor's type,
 * shape and place; the data section, in which the tensors lie without a gap.
 *
 * <p>Everything is checked when a file is opened, so that each tensor handed out later is whole. No
 * tensor is copied. Immutable; as accessible to threads as the segment it reads.
 */
public final class SafeTensors {
  private static final ValueLayout.OfLong LENGTH = JAVA_LONG_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final long MAX_HEADER = 100_000_000;
  private static final long DIGEST_STEP = 1 << 30;
  private static final String METADATA = "__metadata__";

  private final String file;
  private final MemorySegment bytes;
  private final Map<String, String> metadata;
  private final SequencedMap<String, StoredTensor> tensors;

  private SafeTensors(
      String file,
      MemorySegment bytes,
      Map<String, String> metadata,
      SequencedMap<String, StoredTensor> tensors) {
    this.file = file;
    this.bytes = bytes;
    this.metadata = Collections.unmodifiableMap(metadata);
    this.tensors = Collections.unmodifiableSequencedMap(tensors);
  }

  /**
   * Maps a file into memory and reads its header. Nobody may shorten the file while the arena is
   * open.
   *
   * @param arena decides how long the tensors can be read, and by which threads
   * @throws ModelFileException if the file is not a whole and correct safetensors file
   * @throws IOException if it cannot be opened or mapped
   */
  public static SafeTensors open(Path path, Arena arena) throws IOException {
    try (var channel = FileChannel.open(path, StandardOpenOption.READ)) {
      return of(
          path.toString(), channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
    }
  }

  /**
   * Reads a file that is in memory.
   *
   * @param file what to call it in messages
   * @param bytes the whole file, of any alignment; must not change afterwards
   * @throws ModelFileException if it is not a whole and correct safetensors file
   */
  public static SafeTensors of(String file, MemorySegment bytes) {
    long headerSize = headerSize(file, bytes);
    MemorySegment header = bytes.asSlice(Long.BYTES, headerSize);
    MemorySegment data = bytes.asSlice(Long.BYTES + headerSize).asReadOnly();

    JsonObject json = JsonObject.parse(file + ", header", header.toArray(JAVA_BYTE));
    var metadata = new TreeMap<String, String>();
    var entries = new ArrayList<TensorEntry>();
    for (String name : json.fields()) {
      JsonObject value = json.object(name);
      if (name.equals(METADATA)) {
        value.fields().forEach(key -> metadata.put(key, value.text(key)));
      } else {
        entries.add(TensorEntry.parse(name, value, data.byteSize()));
      }
    }
    entries.sort(Comparator.comparingLong(TensorEntry::begin).thenComparingLong(TensorEntry::end));
    checkGapless(file, entries, data.byteSize());

    var tensors = new LinkedHashMap<String, StoredTensor>();
    for (TensorEntry entry : entries) {
      MemorySegment own = data.asSlice(entry.begin(), entry.size());
      tensors.put(
          entry.name(), new StoredTensor(file, entry.name(), entry.type(), entry.shape(), own));
    }
    return new SafeTensors(file, bytes, metadata, tensors);
  }

  private static long headerSize(String file, MemorySegment bytes) {
    long available = bytes.byteSize() - Long.BYTES;
    if (available < 0) {
      throw new ModelFileException(
          file,
          "the length of the header in " + Long.BYTES + " bytes",
          "a file of " + bytes.byteSize() + " bytes",
          ModelFileException.FETCH_AGAIN);
    }
    long size = bytes.get(LENGTH, 0);
    if (size < 0 || size > MAX_HEADER) {
      throw new ModelFileException(
          file,
          "a header of at most " + MAX_HEADER + " bytes",
          "one of " + Long.toUnsignedString(size),
          "check that this is a safetensors file");
    }
    if (size > available) {
      throw new ModelFileException(
          file,
          "a header of " + size + " bytes",
          "only " + available + " bytes",
          ModelFileException.FETCH_AGAIN);
    }
    if (size == 0 || bytes.get(JAVA_BYTE, Long.BYTES) != '{') {
      throw new ModelFileException(
          file,
          "a header that starts with {",
          size == 0 ? "an empty header" : "byte " + bytes.get(JAVA_BYTE, Long.BYTES),
          "check that this is a safetensors file");
    }
    return size;
  }

  /** Every byte of the data section belongs to exactly one tensor. */
  private static void checkGapless(String file, List<TensorEntry> sorted, long dataSize) {
    long covered = 0;
    String place = "at the start of the data section";
    for (TensorEntry entry : sorted) {
      if (entry.begin() != covered) {
        boolean overlap = entry.begin() < covered;
        throw new ModelFileException(
            file + ", header, " + entry.name(),
            "data from byte %d, %s".formatted(covered, place),
            "data from byte %d, which leaves %s"
                .formatted(entry.begin(), overlap ? "an overlap" : "a gap"),
            ModelFileException.WRITE_AGAIN);
      }
      covered = entry.end();
      place = "where " + entry.name() + " ends";
    }
    if (covered != dataSize) {
      throw new ModelFileException(
          file,
          "the data section to end at byte %d, %s".formatted(covered, place),
          "%d bytes that belong to no tensor".formatted(dataSize - covered),
          ModelFileException.WRITE_AGAIN);
    }
  }

  /** What its writer noted about the file; sorted by key. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /** All tensors by name, in the order of the data section. */
  public SequencedMap<String, StoredTensor> tensors() {
    return tensors;
  }

  /**
   * The tensor of this name.
   *
   * @throws ModelFileException if there is none
   */
  public StoredTensor tensor(String name) {
    StoredTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new ModelFileException(
          file,
          "a tensor named " + name,
          "%d others".formatted(tensors.size()),
          "check that the file belongs to a model of this architecture");
    }
    return tensor;
  }

  /** SHA-256 of the whole file, in hexadecimal. */
  public String sha256() {
    try {
      var digest = MessageDigest.getInstance("SHA-256");
      for (long from = 0; from < bytes.byteSize(); from += DIGEST_STEP) {
        long size = Math.min(DIGEST_STEP, bytes.byteSize() - from);
        digest.update(bytes.asSlice(from, size).asByteBuffer()); // a buffer holds 2 GiB at most
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException missing) {
      throw new AssertionError("every Java platform has SHA-256", missing);
    }
  }
}
