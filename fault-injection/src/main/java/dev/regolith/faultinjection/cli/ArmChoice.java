package dev.regolith.faultinjection.cli;

import dev.regolith.faultinjection.campaign.Arm;
import java.util.EnumSet;
import java.util.Set;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * A value of {@code --arm}.
 *
 * @param arms the arms that it asks for
 */
record ArmChoice(Set<Arm> arms) {
  static final ArmChoice BOTH = new ArmChoice(EnumSet.allOf(Arm.class));

  /** Reads what the user wrote. */
  static final class Converter implements ITypeConverter<ArmChoice> {
    @Override
    public ArmChoice convert(String value) {
      if (value.equals("both")) {
        return BOTH;
      }
      for (Arm arm : Arm.values()) {
        if (value.equals(arm.id())) {
          return new ArmChoice(EnumSet.of(arm));
        }
      }
      throw new TypeConversionException("expected off, correct or both, got '" + value + "'");
    }
  }
}
