package dev.regolith.jmh.launch;

import com.fasterxml.jackson.annotation.JsonAutoDetect.Visibility;
import com.fasterxml.jackson.annotation.PropertyAccessor;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.Optional;

/**
 * How plans and events travel between JVMs: JSON, a line each, marked among whatever else is
 * printed.
 */
final class Wire {
  private static final String MARK = "@regolith ";

  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .visibility(PropertyAccessor.GETTER, Visibility.NONE)
          .visibility(PropertyAccessor.IS_GETTER, Visibility.NONE)
          .visibility(PropertyAccessor.FIELD, Visibility.ANY)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  private Wire() {}

  static String of(LaunchPlan plan) {
    return write(plan);
  }

  static LaunchPlan plan(String text) {
    return read(text, LaunchPlan.class);
  }

  static String line(LaunchEvent event) {
    return MARK + write(event);
  }

  /** The event on a line, unless it is a line of somebody else. */
  static Optional<LaunchEvent> event(String line) {
    return line.startsWith(MARK)
        ? Optional.of(read(line.substring(MARK.length()), LaunchEvent.class))
        : Optional.empty();
  }

  private static String write(Object value) {
    try {
      return MAPPER.writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("records and arrays only: " + value, e);
    }
  }

  private static <T> T read(String text, Class<T> type) {
    try {
      return MAPPER.readValue(text, type);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("another version wrote: " + text, e);
    }
  }
}
