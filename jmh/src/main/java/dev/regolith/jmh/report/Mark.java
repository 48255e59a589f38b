package dev.regolith.jmh.report;

/** The signs for those whose speed is drawn. */
enum Mark {
  CORRECT("correct", "protected"),
  OFF("off", "unprotected"),
  PEER("peer", "best peer");

  private final String id;
  private final String label;

  Mark(String id, String label) {
    this.id = id;
    this.label = label;
  }

  String label() {
    return label;
  }

  /** The style class that gives the colour. */
  String style() {
    return "i-" + id;
  }

  /** The sign at a place: a dot, a ring, a diamond, told apart without colours. */
  String at(double x, double y) {
    return switch (this) {
      case CORRECT -> circle("dot", x, y, 4.2);
      case OFF -> circle("ring", x, y, 3.8);
      case PEER ->
          "<path class=\"dot %s\" d=\"M%s %sl4.6 4.6l-4.6 4.6l-4.6 -4.6z\"/>"
              .formatted(style(), number(x), number(y - 4.6));
    };
  }

  private String circle(String kind, double x, double y, double radius) {
    return "<circle class=\"%s %s\" cx=\"%s\" cy=\"%s\" r=\"%s\"/>"
        .formatted(kind, style(), number(x), number(y), radius);
  }

  static String number(double coordinate) {
    return Numbers.format("%.1f", coordinate);
  }
}
