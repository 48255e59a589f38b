package dev.regolith.jmh.launch;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.regolith.jmh.measure.RowSamples;
import dev.regolith.jmh.rows.Row;
import java.util.Map;

/** What a measuring JVM tells the one that started it, a line each. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "event")
@JsonSubTypes({
  @JsonSubTypes.Type(value = LaunchEvent.Began.class, name = "began"),
  @JsonSubTypes.Type(value = LaunchEvent.RowBegan.class, name = "rowBegan"),
  @JsonSubTypes.Type(value = LaunchEvent.RowEnded.class, name = "rowEnded"),
  @JsonSubTypes.Type(value = LaunchEvent.RowFailed.class, name = "rowFailed"),
  @JsonSubTypes.Type(value = LaunchEvent.Speed.class, name = "speed"),
  @JsonSubTypes.Type(value = LaunchEvent.Cold.class, name = "cold"),
})
public sealed interface LaunchEvent {

  /**
   * The JVM is ready to measure.
   *
   * @param configuration of the default session
   * @param present peers by name, with version and kernel choice
   * @param absent peers by name, with the reason
   */
  record Began(
      Map<String, String> configuration, Map<String, String> present, Map<String, String> absent)
      implements LaunchEvent {}

  /**
   * A row is under way.
   *
   * @param row which
   */
  record RowBegan(Row row) implements LaunchEvent {}

  /**
   * A row was measured.
   *
   * @param samples what was measured
   */
  record RowEnded(RowSamples samples) implements LaunchEvent {}

  /**
   * A row could not be measured.
   *
   * @param row which
   * @param reason why
   */
  record RowFailed(Row row, String reason) implements LaunchEvent {}

  /**
   * How fast OpenBLAS is with the core type that it was told.
   *
   * @param detail what it says of itself
   * @param gflops of 1024 cubed on one thread
   */
  record Speed(String detail, double gflops) implements LaunchEvent {}

  /**
   * How a JVM began.
   *
   * @param start the figures
   */
  record Cold(ColdStart start) implements LaunchEvent {}
}
