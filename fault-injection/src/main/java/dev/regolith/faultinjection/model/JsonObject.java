package dev.regolith.faultinjection.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * A JSON object of a model file, read without leniency: UTF-8 only, no key twice, nothing after the
 * end, no number where a text is due. Every complaint is a {@link ModelFileException} that names
 * the field.
 *
 * @param where file and path to the object, for messages
 * @param node the object
 */
record JsonObject(String where, JsonNode node) {
  private static final String CORRECT = "correct the field";
  private static final int LONGEST_QUOTE = 80;
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  static JsonObject parse(String where, byte[] utf8) {
    try {
      // Decoded here: Jackson would guess UTF-16 or UTF-32 from the first bytes, and let some
      // malformed UTF-8 pass.
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
      return object(where, MAPPER.readTree(text));
    } catch (CharacterCodingException notUtf8) {
      throw new ModelFileException(
          where, "JSON in UTF-8", "bytes that are not UTF-8", ModelFileException.FETCH_AGAIN);
    } catch (JsonProcessingException broken) {
      String found = "broken JSON (%s)".formatted(broken.getOriginalMessage());
      throw new ModelFileException(where, "JSON", found, ModelFileException.FETCH_AGAIN);
    }
  }

  private static JsonObject object(String where, JsonNode node) {
    if (!node.isObject()) {
      throw new ModelFileException(where, "a JSON object", quote(node), CORRECT);
    }
    return new JsonObject(where, node);
  }

  List<String> fields() {
    var names = new ArrayList<String>();
    node.fieldNames().forEachRemaining(names::add);
    return names;
  }

  /** Whether the field is there with a value other than null. */
  boolean has(String field) {
    return node.hasNonNull(field);
  }

  /** Refuses fields that nobody would read. */
  void onlyHas(Set<String> known) {
    var surplus = new TreeSet<>(fields());
    surplus.removeAll(known);
    if (!surplus.isEmpty()) {
      String expected = "only the fields " + new TreeSet<>(known);
      throw new ModelFileException(where, expected, "also " + surplus, "remove them");
    }
  }

  JsonObject object(String field) {
    return object(where + ", " + field, required(field, "a JSON object"));
  }

  String text(String field) {
    JsonNode value = required(field, "a text");
    if (!value.isTextual()) {
      throw refuse(field, "a text", quote(value), CORRECT);
    }
    return value.textValue();
  }

  /** Whether the field is there and false. */
  boolean isFalse(String field) {
    JsonNode value = node.get(field);
    return value != null && value.isBoolean() && !value.booleanValue();
  }

  double number(String field) {
    JsonNode value = required(field, "a number");
    if (!value.isNumber()) {
      throw refuse(field, "a number", quote(value), CORRECT);
    }
    return value.doubleValue();
  }

  int integer(String field) {
    JsonNode value = required(field, "an integer");
    if (!value.isIntegralNumber() || !value.canConvertToInt()) {
      throw refuse(field, "an integer of 32 bits", quote(value), CORRECT);
    }
    return value.intValue();
  }

  /** A list of integers from 0 up to the largest long. */
  List<Long> sizes(String field) {
    String expected = "a list of integers that are not negative and fit into 63 bits";
    JsonNode list = required(field, expected);
    boolean valid = list.isArray();
    var sizes = new ArrayList<Long>();
    for (JsonNode size : list) {
      valid &= size.isIntegralNumber() && size.canConvertToLong() && size.longValue() >= 0;
      sizes.add(size.longValue());
    }
    if (!valid) {
      throw refuse(field, expected, quote(list), ModelFileException.WRITE_AGAIN);
    }
    return sizes;
  }

  ModelFileException refuse(String field, String expected, String found, String remedy) {
    return new ModelFileException(where + ", " + field, expected, found, remedy);
  }

  private JsonNode required(String field, String expected) {
    JsonNode value = node.get(field);
    if (value == null) {
      throw refuse(field, expected, "no such field", "add it");
    }
    return value;
  }

  private static String quote(JsonNode value) {
    if (value.isMissingNode()) {
      return "nothing";
    }
    String text = value.toString();
    return text.length() <= LONGEST_QUOTE ? text : text.substring(0, LONGEST_QUOTE) + "...";
  }
}
