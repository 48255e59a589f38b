package dev.regolith.faultinjection.model;

import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafeTensorsTest {
  private static final String HEADER =
      """
      {"__metadata__":{"format":"pt"},
       "b":{"dtype":"F32","shape":[],"data_offsets":[12,16]},
       "a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},
       "none":{"dtype":"I64","shape":[4,0],"data_offsets":[16,16]}}   \
      """;

  @Test
  void readsTensorsInTheOrderOfTheirData() {
    SafeTensors file = SafeTensorsFile.parse(HEADER, 16);

    assertThat(file.metadata()).isEqualTo(Map.of("format", "pt"));
    assertThat(file.tensors().keySet()).containsExactly("a", "b", "none");
    StoredTensor a = file.tensor("a");
    assertThat(a.type()).isEqualTo(StoredType.BF16);
    assertThat(a.shape()).containsExactly(2L, 3L);
    assertThat(a.elements()).isEqualTo(6);
    assertThat(a.bytes().toArray(ValueLayout.JAVA_BYTE)).startsWith(0, 1, 2).hasSize(12);
    assertThat(a.bytes().isReadOnly()).isTrue();
    assertThat(file.tensor("b").elements()).isOne();
    assertThat(file.tensor("none").elements()).isZero();
  }

  @Test
  void readsLittleEndianWhateverTheAlignment() {
    String odd =
        """
        {"byte":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
        "f":{"dtype":"F32","shape":[1],"data_offsets":[1,5]},
        "h":{"dtype":"F16","shape":[1],"data_offsets":[5,7]},
        "b":{"dtype":"BF16","shape":[1],"data_offsets":[7,9]}}\
        """;
    SafeTensors file = SafeTensorsFile.parse(odd, 9);

    assertThat(file.tensor("f").toFloats()).containsExactly(Float.intBitsToFloat(0x04030201));
    assertThat(file.tensor("h").toFloats()).containsExactly(Float.float16ToFloat((short) 0x0605));
    assertThat(file.tensor("b").toFloats()).containsExactly(Float.intBitsToFloat(0x08070000));
  }

  @Test
  void acceptsAFileWithoutTensors() {
    assertThat(SafeTensorsFile.parse("{}", 0).tensors()).isEmpty();
  }

  @Test
  void mapsAFile(@TempDir Path folder) throws IOException {
    Path path = Files.write(folder.resolve("x"), SafeTensorsFile.bytes(HEADER, 16));
    try (var arena = Arena.ofConfined()) {
      SafeTensors mapped = SafeTensors.open(path, arena);
      assertThat(mapped.tensors().keySet()).containsExactly("a", "b", "none");
      assertThat(mapped.sha256()).isEqualTo(SafeTensorsFile.parse(HEADER, 16).sha256()).hasSize(64);
    }
  }

  @Test
  void leavesFilesThatAreNotThereToTheFileSystem(@TempDir Path folder) {
    assertThatExceptionOfType(NoSuchFileException.class)
        .isThrownBy(() -> SafeTensors.open(folder.resolve("x"), Arena.global()));
  }

  @Test
  void namesAnEmptyFile(@TempDir Path folder) throws IOException {
    Path path = Files.createFile(folder.resolve("empty"));
    assertThatExceptionOfType(ModelFileException.class)
        .isThrownBy(() -> SafeTensors.open(path, Arena.global()))
        .withMessage(
            path
                + ": expected the length of the header in 8 bytes, found a file of 0 bytes; the"
                + " file is truncated or damaged: copy or download it again");
  }

  @Test
  void refusesAFileCutAnywhere() {
    byte[] whole = SafeTensorsFile.bytes(HEADER, 16);
    for (int size = 0; size < whole.length; size++) {
      refused(Arrays.copyOf(whole, size), "truncated");
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {100_000_001, Long.MAX_VALUE, Long.MIN_VALUE, -1})
  void refusesAHeaderThatIsTooLarge(long size) {
    refused(
        SafeTensorsFile.withLength(size, HEADER.getBytes(UTF_8), new byte[16]),
        "expected a header of at most 100000000 bytes, found one of "
            + Long.toUnsignedString(size));
  }

  @Test
  void refusesAHeaderBeyondTheFile() {
    refused(
        SafeTensorsFile.withLength(1000, "{}".getBytes(UTF_8), new byte[0]),
        "expected a header of 1000 bytes, found only 2 bytes");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " {}", "[]", "PK", "\uFEFF{}"})
  void refusesWhatIsNoHeader(String header) {
    refused(SafeTensorsFile.bytes(header, 0), "expected a header that starts with {");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{                  | found broken JSON",
        "{\"a\":}           | found broken JSON",
        "{'a':1}            | found broken JSON",
        "{}{}               | found broken JSON",
        "{} x               | found broken JSON",
        "{\"a\":1,\"a\":1}  | Duplicate field 'a'",
        "{\"a\":1}          | header, a: expected a JSON object, found 1",
        "{\"a\":null}       | header, a: expected a JSON object, found null",
        "{\"__metadata__\":{\"k\":1}} | header, __metadata__, k: expected a text, found 1",
      })
  void refusesBrokenJson(String header, String message) {
    refused(SafeTensorsFile.bytes(header, 0), message);
  }

  @Test
  void refusesOtherEncodings() {
    refused(SafeTensorsFile.bytes("{}".getBytes(UTF_16LE), 0), "found broken JSON");
    refused(
        SafeTensorsFile.bytes(new byte[] {'{', '"', (byte) 0xff, '"', ':', '1', '}'}, 0),
        "expected JSON in UTF-8");
  }

  @Test
  void refusesDeepNesting() {
    refused(SafeTensorsFile.bytes("{\"a\":".repeat(100_000), 0), "nesting depth");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "'F33'  | [4]                   | [0,16] | dtype: expected one of F4, ",
        "'f32'  | [4]                   | [0,16] | found f32; convert the file",
        "7      | [4]                   | [0,16] | dtype: expected a text, found 7",
        "'F32'  | 4                     | [0,16] | shape: expected a list of integers",
        "'F32'  | {'a':4}               | [0,16] | shape: expected a list of integers",
        "'F32'  | [-4]                  | [0,16] | found [-4]",
        "'F32'  | [-2,-2]               | [0,16] | found [-2,-2]",
        "'F32'  | [4.0]                 | [0,16] | found [4.0]",
        "'F32'  | ['4']                 | [0,16] | shape: expected a list of integers",
        "'F32'  | [9223372036854775808] | [0,16] | shape: expected a list of integers",
        "'F32'  | [4611686018427387904,4] | [0,16] | shape: expected a product of extents",
        "'F32'  | [576460752303423488]  | [0,16] | shape: expected a product of extents",
        "'F32'  | [3]                   | [0,16] | expected 12 bytes for F32 of shape [3], found"
            + " 16",
        "'F32'  | [5]                   | [0,16] | expected 20 bytes for F32 of shape [5], found"
            + " 16",
        "'F16'  | [4]                   | [0,16] | expected 8 bytes for F16 of shape [4], found 16",
        "'F4'   | [3]                   | [0,16] | expected a whole number of bytes, found 12 bits",
        "'F32'  | [4]                   | [0]    | expected [begin, end]",
        "'F32'  | [4]                   | [0,8,16] | expected [begin, end]",
        "'F32'  | [4]                   | [16,0] | expected [begin, end] with begin <= end",
        "'F32'  | [4]                   | [-16,0] | found [-16,0]",
        "'F32'  | [4]                   | [0,17] | an end within the data section of 16 bytes",
        "'F32'  | [4]                   | [0,9223372036854775807] | an end within the data section",
      })
  void refusesAnInconsistentEntry(String type, String shape, String offsets, String message) {
    String header =
        "{'a':{'dtype':%s,'shape':%s,'data_offsets':%s}}".formatted(type, shape, offsets);
    refused(SafeTensorsFile.bytes(header.replace('\'', '"'), 16), message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"dtype", "shape", "data_offsets"})
  void refusesAMissingField(String field) {
    String header = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    refused(
        SafeTensorsFile.bytes(header.replace(field, "other"), 1),
        "header, a, " + field + ": expected ");
  }

  @Test
  void refusesAFieldItDoesNotKnow() {
    refused(
        SafeTensorsFile.bytes(
            "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"strides\":[1]}}", 1),
        "only the fields [data_offsets, dtype, shape], found also [strides]");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0,2 | 1,3 | 3 | header, b: expected data from byte 2, where a ends | overlap",
        "0,2 | 0,2 | 2 | header, b: expected data from byte 2, where a ends | overlap",
        "0,2 | 3,5 | 5 | header, b: expected data from byte 2, where a ends | a gap",
        "1,3 | 3,5 | 5 | header, a: expected data from byte 0, at the start | a gap",
        "0,2 | 2,4 | 5 | expected the data section to end at byte 4, where b ends | 1 bytes",
      })
  void refusesOverlapsAndGaps(String a, String b, int size, String expected, String found) {
    String header =
        """
        {"a":{"dtype":"U8","shape":[2],"data_offsets":[%s]},
        "b":{"dtype":"U8","shape":[2],"data_offsets":[%s]}}\
        """
            .formatted(a, b);
    refused(SafeTensorsFile.bytes(header, size), expected, found);
  }

  @Test
  void refusesWhatTheCallerDidNotExpect() {
    SafeTensors file = SafeTensorsFile.parse(HEADER, 16);
    List<Map.Entry<Runnable, String>> requests =
        List.of(
            Map.entry(() -> file.tensor("c"), "expected a tensor named c, found 3 others"),
            Map.entry(
                () -> file.tensor("a").ofShape(3, 2),
                "tensor a: expected shape [3, 2], found [2, 3]"),
            Map.entry(
                () -> file.tensor("a").ofType(StoredType.F32),
                "tensor a: expected elements of type F32, found BF16"),
            Map.entry(
                () -> file.tensor("none").toFloats(),
                "tensor none: expected elements of type F32 or F16 or BF16, found I64"));
    requests.forEach(request ->
        assertThatExceptionOfType(ModelFileException.class)
            .isThrownBy(request.getKey()::run)
            .withMessageContaining(request.getValue()));
  }

  private static void refused(byte[] file, String... message) {
    assertThatExceptionOfType(ModelFileException.class)
        .isThrownBy(() -> SafeTensorsFile.parse(file))
        .withMessageStartingWith("test.safetensors")
        .satisfies(refusal -> assertThat(refusal).hasMessageContainingAll(message));
  }
}
