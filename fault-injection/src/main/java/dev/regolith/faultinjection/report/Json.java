package dev.regolith.faultinjection.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** How this package writes JSON: from maps only, so that no class is opened to reflection. */
final class Json {
  private static final JsonMapper LINE = JsonMapper.builder().build();
  private static final JsonMapper PRETTY =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
  private static final JsonMapper CANONICAL =
      JsonMapper.builder().enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS).build();

  private Json() {}

  /** One line, keys in the order of the map. */
  static String line(Map<String, ? extends @Nullable Object> map) {
    return write(LINE, map);
  }

  /** Indented, keys in the order of the map. */
  static String pretty(Map<String, ? extends @Nullable Object> map) {
    return write(PRETTY, map);
  }

  /** The SHA-256 of one line with sorted keys: the same for maps that differ in order only. */
  static String hash(Map<String, ? extends @Nullable Object> map) {
    byte[] canonical = write(CANONICAL, map).getBytes(StandardCharsets.UTF_8);
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(canonical));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java runtime has SHA-256", e);
    }
  }

  private static String write(ObjectMapper mapper, Map<String, ? extends @Nullable Object> map) {
    try {
      return mapper.writeValueAsString(map);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("maps, lists, strings and numbers only: " + map, e);
    }
  }
}
