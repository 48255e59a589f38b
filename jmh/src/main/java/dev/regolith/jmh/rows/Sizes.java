package dev.regolith.jmh.rows;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.util.List;

/** How large the work of a row is, and which kernel does it. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kernel")
@JsonSubTypes({
  @JsonSubTypes.Type(value = Shape.class, name = Shape.KERNEL),
  @JsonSubTypes.Type(value = AttentionShape.class, name = AttentionShape.KERNEL),
})
public sealed interface Sizes permits Shape, AttentionShape {
  /** The name of the kernel in files. */
  String kernel();

  /** Independent problems of one call. */
  int batch();

  /** Additions and multiplications that the result takes. */
  double flops();

  /** Bytes that GB/s are counted in. */
  double bytes();

  /** Bytes of what is read from memory when a row's operands are cold. */
  long coldBytes();

  /** Flops per byte that has to come from memory at least. */
  double intensity();

  /** As in {@code bench.json}. */
  List<Integer> toList();
}
