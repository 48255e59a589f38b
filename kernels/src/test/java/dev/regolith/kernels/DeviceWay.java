package dev.regolith.kernels;

import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.Protection;

/** How a session that a device computes for is protected. */
enum DeviceWay {
  OFF(Protection.OFF, EvidenceLevel.HOST),
  DETECT(Protection.DETECT, EvidenceLevel.HOST),
  CORRECT(Protection.CORRECT, EvidenceLevel.HOST),
  DETECT_THERE(Protection.DETECT, EvidenceLevel.DEVICE),
  CORRECT_THERE(Protection.CORRECT, EvidenceLevel.DEVICE);

  final Protection protection;
  final EvidenceLevel evidence;

  DeviceWay(Protection protection, EvidenceLevel evidence) {
    this.protection = protection;
    this.evidence = evidence;
  }

  SessionUnderTest open(int threads) {
    return SessionUnderTest.open(options ->
        options
            .compute(SessionUnderTest.accelerator())
            .threads(threads)
            .protection(protection)
            .evidence(evidence));
  }

  /** Whether nothing has to come back to be verified. */
  boolean stays() {
    return protection == Protection.OFF || evidence == EvidenceLevel.DEVICE;
  }
}
