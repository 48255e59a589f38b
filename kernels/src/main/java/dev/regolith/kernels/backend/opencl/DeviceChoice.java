package dev.regolith.kernels.backend.opencl;

import java.util.Comparator;
import java.util.List;

/** Finds the device that somebody asks for. */
final class DeviceChoice {
  /** Longer ones are parts of names, as in "7900". */
  private static final int LONGEST_NUMBER = 2;

  private DeviceChoice() {}

  static ClDevice choose(String words) {
    if (!Cl.isPresent()) {
      throw new IllegalStateException("there is no OpenCL here: " + Cl.absence());
    }
    List<ClDevice> all = ClDevice.all();
    ClDevice device = words.isBlank() ? best(all) : named(words, all);
    String hindrance = device.hindrance();
    if (!hindrance.isEmpty()) {
      throw new IllegalStateException(
          "OpenCL device "
              + device.name()
              + " cannot be used: "
              + hindrance
              + "; choose another one of "
              + list(all));
    }
    return device;
  }

  private static ClDevice best(List<ClDevice> all) {
    return all.stream()
        .filter(device -> device.hindrance().isEmpty())
        .max(Comparator.comparing(device -> device.type() == ClDevice.Type.GPU))
        .orElseThrow(() ->
            new IllegalStateException(
                "no OpenCL device is available that computes exactly; there are " + list(all)));
  }

  private static ClDevice named(String words, List<ClDevice> all) {
    for (int i = 0; i < all.size(); i++) {
      if (words.equals(Integer.toString(i))) {
        return all.get(i);
      }
    }
    if (words.length() <= LONGEST_NUMBER && words.chars().allMatch(Character::isDigit)) {
      throw new IllegalStateException(
          "there is no OpenCL device number %s; there are %s".formatted(words, list(all)));
    }
    return all.stream()
        .filter(device -> device.isCalled(words))
        .findFirst()
        .orElseThrow(() ->
            new IllegalStateException(
                "there is no OpenCL device \"%s\"; there are %s".formatted(words, list(all))));
  }

  private static String list(List<ClDevice> all) {
    if (all.isEmpty()) {
      return "none (pocl-opencl-icd computes on any CPU)";
    }
    var text = new StringBuilder();
    for (int i = 0; i < all.size(); i++) {
      text.append(i == 0 ? "" : ", ").append(i).append(": ").append(all.get(i).name());
    }
    return text.toString();
  }
}
