package dev.regolith.jmh.rows;

import java.util.Locale;

/** What kind of use a row stands for. */
public enum Group {
  /** Large squares. */
  SQUARE("Squares"),
  /** A few to some hundred tokens times a layer's weights. */
  WEIGHTS("Layers: m tokens times weights"),
  /** One to four tokens times weights that come from memory. */
  DECODE("Decode: one to four tokens times weights from memory"),
  /** Small and odd sizes. */
  SMALL("Small and odd"),
  /** Many small products in one call. */
  BATCH("Strided batches"),
  /** As many queries as keys. */
  PREFILL("Attention: prefill"),
  /** One query over keys and values that come from memory. */
  ATTENTION_DECODE("Attention, decode: one query over cached keys");

  private final String title;

  Group(String title) {
    this.title = title;
  }

  /** The group that sizes belong to when nobody says. */
  public static Group of(Sizes sizes) {
    return switch (sizes) {
      case Shape shape -> of(shape);
      case AttentionShape shape -> of(shape);
    };
  }

  /** The group that an attention belongs to. */
  public static Group of(AttentionShape shape) {
    return shape.queries() == 1 ? ATTENTION_DECODE : PREFILL;
  }

  /** The group that a product belongs to when nobody says. */
  public static Group of(Shape shape) {
    if (shape.batch() > 1) {
      return BATCH;
    }
    if (shape.m() <= 4 && (long) shape.k() * shape.n() >= 1 << 20) {
      return DECODE;
    }
    if (shape.m() == shape.k() && shape.m() == shape.n()) {
      return shape.m() >= 256 && shape.m() != 1000 ? SQUARE : SMALL;
    }
    return (long) shape.k() * shape.n() >= 1 << 22 ? WEIGHTS : SMALL;
  }

  /** A heading. */
  public String title() {
    return title;
  }

  /** The name in files. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }
}
