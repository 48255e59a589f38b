package dev.regolith.kernels.backend.device;

import java.util.Comparator;
import java.util.List;

/** Finds the device that somebody asks for. */
final class DeviceChoice {
  /** Longer ones are parts of names, as in "7900". */
  private static final int LONGEST_NUMBER = 2;

  private final DeviceApi api;

  DeviceChoice(DeviceApi api) {
    this.api = api;
  }

  Device choose(String words) {
    if (!api.absence().isEmpty()) {
      throw new IllegalStateException(
          "there is no %s here: %s".formatted(api.name(), api.absence()));
    }
    List<Device> all = api.devices();
    Device device = words.isBlank() ? best(all) : named(words, all);
    String hindrance = device.info().hindrance();
    if (!hindrance.isEmpty()) {
      throw new IllegalStateException(
          "%s device %s cannot be used: %s; choose another one of %s"
              .formatted(api.name(), device.info().name(), hindrance, list(all)));
    }
    return device;
  }

  private Device best(List<Device> all) {
    return all.stream()
        .filter(device -> device.info().hindrance().isEmpty())
        .max(
            Comparator.comparing((Device device) -> device.info().isExact())
                .thenComparing(device -> device.info().kind() == DeviceInfo.Kind.GPU))
        .orElseThrow(() ->
            new IllegalStateException(
                "no %s device is available that sessions can compute on; there are %s"
                    .formatted(api.name(), list(all))));
  }

  private Device named(String words, List<Device> all) {
    for (int i = 0; i < all.size(); i++) {
      if (words.equals(Integer.toString(i))) {
        return all.get(i);
      }
    }
    if (words.length() <= LONGEST_NUMBER && words.chars().allMatch(Character::isDigit)) {
      throw new IllegalStateException(
          "there is no %s device number %s; there are %s".formatted(api.name(), words, list(all)));
    }
    return all.stream()
        .filter(device -> device.info().isCalled(words))
        .findFirst()
        .orElseThrow(() ->
            new IllegalStateException(
                "there is no %s device \"%s\"; there are %s"
                    .formatted(api.name(), words, list(all))));
  }

  private String list(List<Device> all) {
    if (all.isEmpty()) {
      return "none (%s)".formatted(api.remedy());
    }
    var text = new StringBuilder();
    for (int i = 0; i < all.size(); i++) {
      text.append(i == 0 ? "" : ", ").append(i).append(": ").append(all.get(i).info().name());
    }
    return text.toString();
  }
}
