package dev.regolith.jmh.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;

/**
 * The SHA-256 of a session's configuration as one line of JSON with sorted keys. A campaign's
 * {@code summary.json} carries the same hash of the same configuration (a test compares the two),
 * so that a reader sees that what was measured here is what was struck there.
 */
public final class ConfigurationHash {
  private static final JsonMapper CANONICAL =
      JsonMapper.builder().enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS).build();

  private ConfigurationHash() {}

  /** The hash, in hexadecimal. */
  public static String of(Map<String, String> configuration) {
    try {
      byte[] canonical =
          CANONICAL.writeValueAsString(configuration).getBytes(StandardCharsets.UTF_8);
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(canonical));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not a map of strings: " + configuration, e);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java runtime has SHA-256", e);
    }
  }
}
