package dev.regolith.kernels.machine;

/** What a user does so that this library may call native code. */
public final class NativeAccess {
  private NativeAccess() {}

  /** The flag of {@code java}, in a sentence. */
  public static String remedy() {
    Module module = NativeAccess.class.getModule();
    String name = module.isNamed() ? module.getName() : "ALL-UNNAMED";
    return "start java with --enable-native-access=" + name;
  }
}
