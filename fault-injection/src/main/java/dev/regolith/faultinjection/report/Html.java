package dev.regolith.faultinjection.report;

/** Makes text safe inside an HTML or SVG element, and inside a quoted attribute. */
final class Html {
  private Html() {}

  static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }

  /** As {@link #escape}, with dashes in ranges, and percentages that no line break takes apart. */
  static String prose(String text) {
    return escape(text)
        .replaceAll("(\\d)-(\\d)", "$1–$2")
        .replace("95 % CI ", "95&nbsp;%&nbsp;CI&nbsp;")
        .replace(" %", "&nbsp;%");
  }
}
