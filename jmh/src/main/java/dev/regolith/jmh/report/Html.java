package dev.regolith.jmh.report;

/** Makes text safe inside an HTML or SVG element, and inside a quoted attribute. */
final class Html {
  private Html() {}

  static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }
}
