package dev.regolith.faultinjection.cli;

import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import org.jspecify.annotations.Nullable;

/** Turns exceptions of the file system, whose message is often just a path, into sentences. */
final class Reason {
  private Reason() {}

  static String of(Exception e) {
    return switch (e) {
      case UncheckedIOException wrapper when wrapper.getCause() != null -> of(wrapper.getCause());
      case AccessDeniedException _ -> "access to '" + e.getMessage() + "' is denied";
      case FileAlreadyExistsException _ -> "'" + e.getMessage() + "' is a file, not a folder";
      case NotDirectoryException _ -> "'" + e.getMessage() + "' is not a folder";
      case NoSuchFileException _ -> "'" + e.getMessage() + "' does not exist";
      default -> orName(e.getMessage(), e);
    };
  }

  private static String orName(@Nullable String message, Exception e) {
    return message == null ? e.getClass().getSimpleName() : message;
  }
}
