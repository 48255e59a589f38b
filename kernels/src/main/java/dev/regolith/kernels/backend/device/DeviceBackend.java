package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.Residence;
import dev.regolith.kernels.backend.ResidentAttention;
import dev.regolith.kernels.backend.ResidentResult;
import dev.regolith.kernels.backend.ResidentRows;
import dev.regolith.kernels.backend.RowKernels;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Storage;
import dev.regolith.kernels.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A backend that has a device multiply, with evidence that the host compares. Predictions are made
 * by a host backend from the host's own operands and check records, or, where that was asked for,
 * by the device, from words that the host holds against its own seals. Wrong weights in device
 * memory, a lost copy, a kernel that never ran, a result of an earlier call: all are seen.
 * Attention is checked or computed twice there ({@link DeviceAttention}), rows are computed twice
 * ({@link DeviceRows}), and the host compares. Everything else is computed by the host.
 *
 * <p>If the device fails, the host computes instead, announced; see {@link #retire}.
 */
public final class DeviceBackend implements Backend, Residence, DeviceWorkspace.Maker {
  private static final System.Logger LOGGER = System.getLogger("dev.regolith.kernels");

  /** In place of the number of an attempt to compute again. */
  private static final int FIRST = -1;

  /** Of a result in one launch, at most: many times what a CPU takes at once. */
  private static final int ROWS = 16 * Region.MAX_ROWS;

  private final Backend host;
  private final DeviceContext context;
  private final GemmProgram program;
  private final Optional<VendorProducts> vendor;
  private final Optional<AttentionProgram> attention;
  private final Optional<RowsProgram> rows;
  private final Optional<EvidenceProgram> ofEvidence;
  private final DeviceResidence residents;
  private final Parts programs = new Parts();
  private final AtomicLong launches = new AtomicLong();
  private final Set<Parts.Part> made = ConcurrentHashMap.newKeySet();
  private final DeviceCopies copies;
  private final AtomicBoolean stumbled = new AtomicBoolean();
  private final AtomicBoolean retired = new AtomicBoolean();

  private DeviceBackend(DeviceApi api, Device device, Backend host, boolean deviceEvidence) {
    this.host = host;
    context = new DeviceContext(api, device, ProgramCache.ofUser());
    try {
      program = programs.add(TileSearch.run(context, host.panelColumns()));
      vendor =
          context.allows(Experiment.CUBLAS)
              ? VendorProducts.open(context, program, host.panelColumns(), this::announce)
              : Optional.empty();
      copies = new DeviceCopies(context, this::formOf);
      attention =
          ifExact(() -> AttentionProgram.open(context, program.tile(), host, this::announce));
      rows = ifExact(() -> RowsProgram.open(context, program, host, this::announce));
      ofEvidence =
          deviceEvidence
              ? ifExact(() -> EvidenceProgram.open(context, program, host, this::announce))
              : Optional.empty();
      residents = new DeviceResidence(context, this::failed);
    } catch (RuntimeException e) {
      programs.close();
      context.close();
      throw e;
    }
  }

  /** What is judged by its bits, or by a tolerance that counts on them, takes an exact device. */
  private <P extends Parts.Part> Optional<P> ifExact(Supplier<Optional<P>> opening) {
    return isExact() ? opening.get().map(programs::add) : Optional.empty();
  }

  private boolean isExact() {
    return context.device().isExact();
  }

  private String deviation() {
    return context.device().deviation();
  }

  /**
   * Opens a device.
   *
   * @param api the way to it
   * @param device part of a device's or platform's name, or its number in the list of all; empty
   *     for one that promises the CPU's bits, if there is one, and a GPU, if there is one of these
   * @param host what computes everything else, and makes the evidence
   * @param deviceEvidence whether the device makes the evidence of products, if it can
   * @param gate told of the device before it is opened; may refuse it with what it throws
   * @throws IllegalStateException if there is no such device, or it has wrong bits
   */
  public static DeviceBackend open(
      DeviceApi api,
      String device,
      Backend host,
      boolean deviceEvidence,
      Consumer<DeviceInfo> gate) {
    try {
      Device chosen = new DeviceChoice(api).choose(device);
      gate.accept(chosen.info());
      return new DeviceBackend(api, chosen, host, deviceEvidence);
    } catch (DeviceException e) {
      throw new IllegalStateException(
          "the %s device cannot be opened: %s".formatted(api.name(), e.getMessage()), e);
    }
  }

  @Override
  public String name() {
    String device = context.device().name();
    String api = context.api().name().toLowerCase(Locale.ROOT);
    if (retired.get()) {
      return "%s; %s device %s out of service".formatted(host.name(), api, device);
    }
    String of = attention.isPresent() ? ", attention with device evidence" : "";
    String by = ofEvidence.isPresent() ? "device" : "host";
    String ofVendor = vendor().isEmpty() ? "" : ", products of " + vendor();
    String arithmetic = isExact() ? "" : ", " + deviation();
    return "%s, %s%s%s, tile %s, %s evidence%s; %s"
        .formatted(api, device, arithmetic, ofVendor, program.tile(), by, of, host.name());
  }

  private String vendor() {
    return vendor.map(VendorProducts::name).orElse("");
  }

  @Override
  public String ownBits() {
    if (retired.get()) {
      return "";
    }
    return vendor().isEmpty() ? deviation() : vendor();
  }

  /** In what form the device is to have the right operand of products. */
  private PanelForm formOf(PackedB b) {
    return program.formOf(b, vendor.isPresent(), this::announce);
  }

  @Override
  public int panelColumns() {
    return host.panelColumns();
  }

  @Override
  public int checkVectorLanes() {
    return host.checkVectorLanes();
  }

  @Override
  public int regionRows() {
    return retired.get() ? host.regionRows() : ROWS;
  }

  @Override
  public Workspace newWorkspace() {
    return new DeviceWorkspace(host.newWorkspace(), this);
  }

  @Override
  public DeviceGemm newGemm() {
    return kept(new DeviceGemm(context, program, ofEvidence.orElse(null), vendor.orElse(null)));
  }

  @Override
  public DeviceAttention newAttention() {
    return kept(new DeviceAttention(context, attention.orElseThrow(), host));
  }

  @Override
  public DeviceRows newRows() {
    return kept(new DeviceRows(context, rows.orElseThrow(), host.newRowKernels()));
  }

  @Override
  public ResidentScan newScan() {
    return kept(new ResidentScan(context, program));
  }

  private <T extends Parts.Part> T kept(T part) {
    made.add(part);
    return part;
  }

  @Override
  public void free(Parts.Part part) {
    if (made.remove(part)) {
      part.close();
    }
  }

  @Override
  public void run(GemmProblem p, Region region, Workspace workspace, EvidenceSink sink) {
    boolean predicts = p.verify && !p.hostEvidence && ofEvidence.isPresent();
    DeviceWords ofA = residents.take(p.aStorage);
    try {
      compute(p, region, workspace, sink, ofA, predicts, FIRST);
    } finally {
      if (ofA != null) {
        ofA.giveBack();
      }
    }
  }

  /**
   * First from A copied anew, then from panels that are all copied again, then on the host; all in
   * the canonical order, and so on the host at once if the device does not promise its bits.
   */
  @Override
  public void recompute(
      GemmProblem p, Region region, int attempt, Workspace workspace, EvidenceSink sink) {
    if (attempt >= LAST_ATTEMPT || !isExact()) {
      computeOnHost(p, region, workspace, sink);
    } else {
      compute(p, region, workspace, sink, null, false, attempt);
    }
  }

  private void compute(
      GemmProblem p,
      Region region,
      Workspace workspace,
      EvidenceSink sink,
      @Nullable DeviceWords ofA,
      boolean predicts,
      int attempt) {
    if (retired.get()) {
      computeOnHost(p, region, workspace, sink);
      return;
    }
    long hostMark = p.b.repairs().mark();
    DevicePanels panels = copies.take(p.b);
    try {
      DeviceGemm gemm = ((DeviceWorkspace) workspace).gemm();
      PanelBuffer buffer = panels.open(p.b, gemm.queue(), attempt > 0);
      long mark = panels.repairs().mark();
      DeviceObject records = predicts ? panels.openRecords(p.b, gemm.queue()) : null;
      long launch = launches.incrementAndGet();
      boolean byVendor = gemm.run(p, region, buffer, records, ofA, attempt == FIRST, launch);
      if (p.verify) {
        boolean ownBits = byVendor || !isExact();
        verify(p, region, predicts, ownBits, panels, gemm, workspace, sink);
        if (!panels.repairs().noneSince(mark)) {
          sink.suspect(p, region, Component.DEVICE_BUFFER);
        }
        if (!p.b.repairs().noneSince(hostMark)) {
          sink.suspect(p, region, Component.PACKED_B);
        }
      }
    } catch (DeviceException e) {
      ((DeviceWorkspace) workspace).settle();
      failed(e);
      computeOnHost(p, region, workspace, sink);
    } catch (RuntimeException | Error e) {
      ((DeviceWorkspace) workspace).settle(); // what it still writes may be others' soon
      throw e;
    } finally {
      panels.giveBack();
    }
  }

  private void verify(
      GemmProblem p,
      Region region,
      boolean predicted,
      boolean ownBits,
      DevicePanels panels,
      DeviceGemm gemm,
      Workspace workspace,
      EvidenceSink sink) {
    Workspace ofHost = DeviceWorkspace.host(workspace);
    if (!ownBits) {
      verify(p, region, predicted, panels, gemm, ofHost, sink);
      return;
    }
    var rows = new ConclusiveRows(sink);
    verify(p, region, predicted, panels, gemm, ofHost, rows);
    rows.settle(p, region, (part, judge) -> computeOnHost(p, part, workspace, judge));
  }

  private void verify(
      GemmProblem p,
      Region region,
      boolean predicted,
      DevicePanels panels,
      DeviceGemm gemm,
      Workspace ofHost,
      EvidenceSink sink) {
    DeviceEvidence evidence = gemm.evidence();
    evidence.verifyPanels(p, region, panels, gemm.queue(), host, ofHost, sink);
    evidence.verifyA(p, region, predicted, host, ofHost, sink);
    evidence.verifyOld(p, region, host, ofHost, sink);
    if (!predicted) {
      parts(region, part -> host.examine(p, part, ofHost, sink));
      evidence.verifyResult(p, region, sink);
      return;
    }
    evidence.verifyRecords(p, region, panels, gemm.queue(), sink);
    evidence.seal(p, region, host, ofHost);
    evidence.verifyResult(p, region, sink);
    // Tolerances are worked out exactly from words that are here.
    gemm.prediction().compare(p, region, sink, () -> bringA(p));
    sink.madeByDevice();
  }

  private static void bringA(GemmProblem p) {
    if (p.aAway && p.aStorage != null) {
      p.aStorage.segment(); // to where p.a is
    }
  }

  @Override
  public int verifyCopy(PackedB packed, boolean mend, Workspace workspace) {
    DevicePanels panels = retired.get() ? null : copies.takeIfKnown(packed);
    if (panels == null) {
      return 0;
    }
    try {
      DeviceWorkspace w = (DeviceWorkspace) workspace;
      return there(
          w,
          () -> {
            PanelBuffer buffer = panels.open(packed, w.gemm().queue(), false);
            return w.gemm().verifyAll(packed, buffer, panels, mend, launches.incrementAndGet());
          },
          0);
    } finally {
      panels.giveBack();
    }
  }

  @Override
  public int verifyCopy(KeyValuePages sequence, boolean mend, Workspace workspace) {
    DevicePages copy = attendsOnDevice() ? copies.takeIfKnown(sequence) : null;
    if (copy == null) {
      return 0;
    }
    try {
      DeviceWorkspace w = (DeviceWorkspace) workspace;
      return there(
          w, () -> w.attention().verifyAll(sequence, copy, mend, launches.incrementAndGet()), 0);
    } finally {
      copy.giveBack();
    }
  }

  /**
   * Does something on the device, and waits for what is under way there if that breaks off.
   *
   * @param otherwise the answer if the device does not do it
   */
  private <T> T there(DeviceWorkspace workspace, Supplier<T> work, T otherwise) {
    try {
      return work.get();
    } catch (DeviceException e) {
      workspace.settle();
      failed(e);
      return otherwise;
    } catch (RuntimeException | Error e) {
      workspace.settle();
      throw e;
    }
  }

  private void computeOnHost(GemmProblem p, Region region, Workspace workspace, EvidenceSink sink) {
    Workspace w = DeviceWorkspace.host(workspace);
    if (p.cResident != null) {
      p.cResident.spoil();
    }
    bringA(p);
    parts(region, part -> host.recompute(p, part, LAST_ATTEMPT, w, sink));
  }

  /** A region in parts that the host's workspace has room for. */
  private void parts(Region region, Consumer<Region> action) {
    var part = new Region();
    for (int row = 0; row < region.rows; row += host.regionRows()) {
      int rows = Math.min(host.regionRows(), region.rows - row);
      action.accept(part.set(region.matrix, region.row + row, rows, region.block, region.blocks));
    }
  }

  private void failed(DeviceException e) {
    if (e.isFatal()) {
      retire(String.valueOf(e.getMessage()));
    } else if (!stumbled.getAndSet(true)) {
      announce(e.getMessage() + "; the CPU computes where that happens (told once a session)");
    }
  }

  @Override
  public boolean retire(String reason) {
    if (!retired.getAndSet(true)) {
      Trial.forget();
      announce(reason + "; the session computes on the CPU from here on");
    }
    return true;
  }

  private void announce(String message) {
    LOGGER.log(System.Logger.Level.WARNING, context.name() + ": " + message);
  }

  // ----------------------------------------------------------------------- attention

  @Override
  public boolean attendsOnDevice() {
    return attention.isPresent() && !retired.get();
  }

  @Override
  public String experimentsLeftOut() {
    String leftOut = context.leftOut();
    return leftOut.isEmpty() ? "none" : leftOut;
  }

  @Override
  public String attentionEvidence() {
    if (!attendsOnDevice()) {
      return host.attentionEvidence();
    }
    return context.allows(Experiment.CHECKS)
        ? "one run of the device, with sums that the host judges; two runs that it compares where"
            + " scores are capped, sloped or masked; a row of a region of the host's"
        : "two runs of the device, which the host compares; a row of each region of the host's";
  }

  @Override
  public int attentionRows() {
    return attendsOnDevice() ? ROWS : host.attentionRows();
  }

  @Override
  public int checkingRows() {
    return host.checkingRows();
  }

  @Override
  public void attend(
      AttentionProblem p, AttentionRegion region, Workspace workspace, AttentionSink sink) {
    attend(p, region, workspace, sink, false);
  }

  /** First as before, then from keys and values that are all copied again, then on the host. */
  @Override
  public void attendAgain(
      AttentionProblem p,
      AttentionRegion region,
      int attempt,
      Workspace workspace,
      AttentionSink sink) {
    if (attempt >= LAST_ATTEMPT) {
      attendOnHost(p, region, workspace, sink);
    } else {
      attend(p, region, workspace, sink, attempt > 0);
    }
  }

  private void attend(
      AttentionProblem p,
      AttentionRegion region,
      Workspace workspace,
      AttentionSink sink,
      boolean anew) {
    DeviceWorkspace w = (DeviceWorkspace) workspace;
    if (!attendsOnDevice() || !DeviceAttention.takes(p, region)) {
      attendOnHost(p, region, workspace, sink);
      return;
    }
    try {
      Workspace ofHost = DeviceWorkspace.host(w);
      w.attention().run(p, region, copies, launches.incrementAndGet(), anew, ofHost, sink);
    } catch (DeviceException e) {
      failed(e);
      attendOnHost(p, region, workspace, sink);
    }
  }

  private void attendOnHost(
      AttentionProblem p, AttentionRegion region, Workspace workspace, AttentionSink sink) {
    if (p.resident != null) {
      p.resident.spoil(); // all of it will be computed from words that are here
      return;
    }
    AttentionParts.attend(p, region, host, DeviceWorkspace.host(workspace), sink);
  }

  // ----------------------------------------------------------------------- tensors that stay

  @Override
  public @Nullable Residence residence() {
    return retired.get() ? null : this;
  }

  @Override
  public void onArrival(Arrivals arrivals) {
    residents.onArrival(arrivals);
  }

  @Override
  public boolean maps() {
    return rows.isPresent();
  }

  @Override
  public boolean predicts() {
    return ofEvidence.isPresent();
  }

  @Override
  public boolean has(Storage storage) {
    return residents.wordsOf(storage) != null;
  }

  @Override
  public boolean upload(Storage storage) {
    try {
      return residents.upload(storage);
    } catch (DeviceException e) {
      failed(e);
      return false;
    }
  }

  @Override
  public @Nullable ResidentResult reserve(Storage storage) {
    if (!DeviceResidence.takes(storage)) {
      return null;
    }
    return orNull(() -> new DeviceResult(residents.reserve(storage), storage));
  }

  /** For want of memory, a result comes to the host, as others do. */
  private <T> @Nullable T orNull(Supplier<@Nullable T> reservation) {
    try {
      return reservation.get();
    } catch (DeviceException e) {
      if (e.isFatal()) {
        failed(e);
      }
      return null;
    }
  }

  @Override
  public boolean attends() {
    return attention.isPresent();
  }

  @Override
  public @Nullable ResidentAttention attend(Storage queries, Storage result, boolean verified) {
    if (!DeviceResidence.takes(result)) {
      return null;
    }
    return orNull(() -> ResidentWords.reserve(residents, queries, result, verified));
  }

  @Override
  public Outcome verify(
      ResidentAttention resident, SealGrid ofQueries, SealGrid ofResult, Workspace workspace) {
    DeviceWorkspace w = (DeviceWorkspace) workspace;
    var words = (ResidentWords) resident;
    return there(
        w,
        () -> w.scan().verify(words, ofQueries, ofResult, launches.incrementAndGet()),
        Outcome.DECLINED);
  }

  @Override
  public Outcome map(ResidentRows resident, Workspace workspace) {
    DeviceWorkspace w = (DeviceWorkspace) workspace;
    return there(
        w, () -> w.rows().run(resident, residents, launches.incrementAndGet()), Outcome.DECLINED);
  }

  // ----------------------------------------------------------------------- left to the host

  @Override
  public void examine(GemmProblem p, Region region, Workspace workspace, EvidenceSink sink) {
    host.examine(p, region, DeviceWorkspace.host(workspace), sink);
  }

  @Override
  public void pack(
      MemorySegment source,
      Range range,
      long matrix,
      PackedB target,
      long block,
      int kBlock,
      boolean verify,
      Workspace workspace) {
    Workspace w = DeviceWorkspace.host(workspace);
    host.pack(source, range, matrix, target, block, kBlock, verify, w);
  }

  @Override
  public RowKernels newRowKernels() {
    return host.newRowKernels();
  }

  @Override
  public void widen(
      DType type, MemorySegment halves, long offset, int count, MemorySegment floats, long at) {
    host.widen(type, halves, offset, count, floats, at);
  }

  @Override
  public void round(
      DType type, MemorySegment floats, long offset, int count, MemorySegment halves, long at) {
    host.round(type, floats, offset, count, halves, at);
  }

  @Override
  public boolean isFinite(MemorySegment memory, long offset, int floats) {
    return host.isFinite(memory, offset, floats);
  }

  @Override
  public boolean isIntact(
      PackedB packed, long panel, int kBlock, long[] found, Workspace workspace) {
    return host.isIntact(packed, panel, kBlock, found, DeviceWorkspace.host(workspace));
  }

  @Override
  public void scan(
      MemorySegment memory, SealGrid grid, long block, long[] found, Workspace workspace) {
    host.scan(memory, grid, block, found, DeviceWorkspace.host(workspace));
  }

  @Override
  public void scan(
      MemorySegment memory, long offset, int words, long[] found, Workspace workspace) {
    host.scan(memory, offset, words, found, DeviceWorkspace.host(workspace));
  }

  @Override
  public void close() {
    residents.close(); // brings home what is nowhere else
    made.forEach(this::free);
    copies.close();
    programs.close();
    context.close();
    host.close();
  }
}
