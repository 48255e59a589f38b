package dev.regolith.kernels;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import java.lang.module.ModuleDescriptor;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * One package is one idea, and imports only run downwards: the rules of the house, as a table of
 * its rooms. A package that is not in the table fails, so that a new idea finds its place before it
 * is merged.
 */
@Tag("once")
class ArchitectureTest {
  private static final String LIBRARY = "dev.regolith.kernels";
  private static final String VECTOR_API = "jdk.incubator..";

  /**
   * A package with everything below it that is not a room of its own. It may import rooms with a
   * smaller height, except those it never knows; two rooms of one height never import each other.
   */
  private record Room(String name, int height, Set<String> neverKnows) {
    Room(String name, int height, String... neverKnows) {
      this(name, height, Set.of(neverKnows));
    }

    boolean holds(String packageName) {
      var own = name.isEmpty() ? LIBRARY : LIBRARY + "." + name;
      return packageName.equals(own) || (!name.isEmpty() && packageName.startsWith(own + "."));
    }

    boolean mayImport(Room other) {
      return equals(other) || (height > other.height && !neverKnows.contains(other.name));
    }
  }

  private static final String[] IMPLEMENTATIONS = {
    "backend.scalar",
    "backend.vector",
    "backend.nativecpu",
    "backend.opencl",
    "backend.cuda",
    "backend.device"
  };

  private static final List<Room> HOUSE =
      List.of(
          // The session chooses and constructs the backends: the only room that knows them by name.
          new Room("", 8),
          new Room("op", 7, IMPLEMENTATIONS),
          new Room("guard", 6, IMPLEMENTATIONS),
          new Room("backend.scalar", 5),
          new Room("backend.vector", 5),
          new Room("backend.nativecpu", 5),
          new Room("backend.opencl", 6),
          new Room("backend.cuda", 6),
          new Room("backend.device", 5),
          new Room("backend", 4),
          // Mathematics: no threads.
          new Room("checksum", 3, "exec"),
          new Room("function", 1),
          new Room("fault", 2),
          // Instructions and the memory that executes them: nothing of what they compute.
          new Room("machine", 1),
          new Room("exec", 1),
          new Room("probe", 1),
          new Room("attention", 1),
          new Room("tensor", 0),
          // What tensors are made of; not exported.
          new Room("memory", -1));

  /** What everybody may import. Any other export names the modules it is for. */
  private static final Set<String> PUBLIC =
      Set.of(
          LIBRARY,
          LIBRARY + ".op",
          LIBRARY + ".attention",
          LIBRARY + ".fault",
          LIBRARY + ".tensor");

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages(LIBRARY);

  private static Optional<Room> roomOf(JavaClass type) {
    return HOUSE.stream()
        .filter(room -> room.holds(type.getPackageName()))
        .max(Comparator.comparingInt(room -> room.name().length()));
  }

  @Test
  void theLibraryIsRead() {
    assertThat(CLASSES).isNotEmpty();
  }

  @Test
  void everyClassHasARoom() {
    assertThat(CLASSES)
        .as("packages are listed in %s", ArchitectureTest.class.getSimpleName())
        .allMatch(type -> roomOf(type).isPresent());
  }

  @Test
  void importsRunDownwards() {
    classes().should(new ImportDownwards()).check(CLASSES);
  }

  @Test
  void nothingBeyondTheJdk() {
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            LIBRARY + "..", "java..", "jdk.jfr..", VECTOR_API, "org.jspecify.annotations..")
        .check(CLASSES);
  }

  @Test
  void onlyTheVectorBackendKnowsTheVectorApi() {
    noClasses()
        .that()
        .resideOutsideOfPackage(LIBRARY + ".backend.vector..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage(VECTOR_API)
        .check(CLASSES);
  }

  /** Qualified or not: the module has to load where the incubator is absent. */
  @Test
  void noExportedPackageKnowsTheVectorApi() {
    var exported =
        module().exports().stream().map(ModuleDescriptor.Exports::source).toArray(String[]::new);
    noClasses()
        .that()
        .resideInAnyPackage(exported)
        .should()
        .dependOnClassesThat()
        .resideInAPackage(VECTOR_API)
        .allowEmptyShould(true)
        .check(CLASSES);
  }

  @Test
  void onlyPublicPackagesAreExported() {
    assertThat(module().exports())
        .filteredOn(export -> !export.isQualified())
        .extracting(ModuleDescriptor.Exports::source)
        .isSubsetOf(PUBLIC);
  }

  private static ModuleDescriptor module() {
    var module = ArchitectureTest.class.getModule();
    assertThat(module.isNamed()).as("tests run on the module path").isTrue();
    return module.getDescriptor();
  }

  private static final class ImportDownwards extends ArchCondition<JavaClass> {
    ImportDownwards() {
      super("import only rooms below their own");
    }

    @Override
    public void check(JavaClass type, ConditionEvents events) {
      var room = roomOf(type);
      for (var dependency : type.getDirectDependenciesFromSelf()) {
        var other = roomOf(dependency.getTargetClass().getBaseComponentType());
        if (room.isPresent() && other.isPresent() && !room.get().mayImport(other.get())) {
          events.add(SimpleConditionEvent.violated(type, dependency.getDescription()));
        }
      }
    }
  }
}
