package dev.regolith.faultinjection.model;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.NotEmpty;

/** Whatever a file holds, it is read in full or refused with a {@link ModelFileException}. */
class SafeTensorsPropertyTest {
  private static final int DATA_SIZE = 48;
  private static final String HEADER =
      """
      {"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},\
      "b":{"dtype":"F32","shape":[],"data_offsets":[12,16]},\
      "c":{"dtype":"F16","shape":[16],"data_offsets":[16,48]}}\
      """;

  @Property
  void mutatedBytes(@ForAll Random random, @ForAll @IntRange(min = 1, max = 4) int mutations) {
    byte[] file = SafeTensorsFile.bytes(HEADER, DATA_SIZE);
    for (int i = 0; i < mutations; i++) {
      int digit = '0' + random.nextInt(10);
      file[random.nextInt(file.length)] =
          (byte) (random.nextBoolean() ? digit : random.nextInt(256));
    }
    readsInFullOrRefuses(file);
  }

  @Property
  void mutatedHeader(@ForAll Random random, @ForAll @IntRange(min = 1, max = 4) int mutations) {
    String header = HEADER;
    for (int i = 0; i < mutations; i++) {
      String piece = anyPiece(header, random.nextInt(9), random);
      String removed = anyPiece(header, random.nextInt(9), random);
      header = header.replace(removed, piece);
    }
    readsInFullOrRefuses(SafeTensorsFile.bytes(header.getBytes(UTF_8), DATA_SIZE));
  }

  @Property
  void consistentFiles(@ForAll("tensors") List<Entry> tensors, @ForAll Random random) {
    assertThat(readsInFullOrRefuses(file(placed(tensors), 0, random))).isTrue();
  }

  @Property
  void filesWithOneTensorMisplaced(
      @ForAll("tensors") @NotEmpty List<Entry> tensors, @ForAll Random random) {
    List<Entry> placed = placed(tensors);
    int victim = random.nextInt(placed.size());
    Entry entry = placed.get(victim);
    int step = random.nextBoolean() ? 1 : -1;
    boolean whole = entry.end() > entry.begin() && random.nextBoolean();
    placed.set(
        victim,
        whole
            ? entry.at(entry.begin() + step, entry.end() + step)
            : random.nextBoolean()
                ? entry.at(entry.begin() + step, entry.end())
                : entry.at(entry.begin(), entry.end() + step));
    assertThat(readsInFullOrRefuses(file(placed, 0, random))).isFalse();
  }

  @Property
  void filesOfAnotherLength(
      @ForAll("tensors") List<Entry> tensors,
      @ForAll @IntRange(min = 1, max = 8) int surplus,
      @ForAll Random random) {
    assertThat(readsInFullOrRefuses(file(placed(tensors), surplus, random))).isFalse();
  }

  @Provide
  Arbitrary<List<Entry>> tensors() {
    Arbitrary<StoredType> types =
        Arbitraries.of(StoredType.class).filter(type -> type.bits() >= Byte.SIZE);
    Arbitrary<List<Integer>> shapes = Arbitraries.integers().between(0, 4).list().ofMaxSize(3);
    return Combinators.combine(types, shapes)
        .as((type, shape) -> new Entry(type, shape, 0, 0))
        .list()
        .ofMaxSize(5);
  }

  /** An entry of a header, correct or not. */
  record Entry(StoredType type, List<Integer> shape, int begin, int end) {

    Entry at(int begin, int end) {
      return new Entry(type, shape, begin, end);
    }

    int size() {
      return shape.stream().reduce(type.bits() / Byte.SIZE, Math::multiplyExact);
    }

    String json(int index) {
      return "\"t%d\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
          .formatted(index, type, shape, begin, end);
    }
  }

  /** The tensors one after the other. */
  private static List<Entry> placed(List<Entry> tensors) {
    var placed = new ArrayList<Entry>();
    int end = 0;
    for (Entry tensor : tensors) {
      placed.add(tensor.at(end, end + tensor.size()));
      end += tensor.size();
    }
    return placed;
  }

  /** A file with room for the tensors and some more bytes, its header in any order. */
  private static byte[] file(List<Entry> tensors, int surplus, Random random) {
    var entries = new ArrayList<String>();
    for (int i = 0; i < tensors.size(); i++) {
      entries.add(tensors.get(i).json(i));
    }
    Collections.shuffle(entries, random);
    int size = tensors.stream().mapToInt(Entry::size).sum();
    return SafeTensorsFile.bytes("{" + String.join(",", entries) + "}", size + surplus);
  }

  private static String anyPiece(String text, int length, Random random) {
    int from = random.nextInt(text.length() + 1);
    return text.substring(from, Math.min(text.length(), from + length));
  }

  /** Whether it was read; then every byte of the data section belongs to a tensor. */
  private static boolean readsInFullOrRefuses(byte[] file) {
    SafeTensors parsed;
    try {
      parsed = SafeTensorsFile.parse(file);
    } catch (ModelFileException refused) {
      assertThat(refused).hasMessageContainingAll("expected", "found", ";");
      return false;
    }
    long total = 0;
    for (StoredTensor tensor : parsed.tensors().values()) {
      long size = tensor.bytes().byteSize();
      assertThat(size * Byte.SIZE).isEqualTo(tensor.elements() * tensor.type().bits());
      total += size;
      switch (tensor.type()) {
        case F32, F16, BF16 ->
            assertThat((long) tensor.toFloats().length).isEqualTo(tensor.elements());
        default -> {}
      }
    }
    long header = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
    assertThat(Long.BYTES + header + total).isEqualTo(file.length);
    return true;
  }
}
