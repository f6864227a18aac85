// What a page checks by itself stands alone: it ships these two, and not all the others.

/** Largest `software` text of a hello (UTF-8 bytes). */
export const MAX_SOFTWARE_BYTES = 64;
/** Most inputs of a model, and most outputs. */
export const MAX_PORTS = 64;

/**
 * Every bound of the protocol, in one place. Both sides enforce them: what is larger is refused with a code,
 * never truncated. Sizes in bytes, times in milliseconds.
 */
export const LIMITS = Object.freeze({
  /** Largest WebSocket message; one message is one frame. */
  maxFrameBytes: 16 * 1024,
  /** Largest enrolment certificate, as encoded. */
  maxCertificateBytes: 1024,
  /** Longest life of a certificate: whoever leaves is out after so long, also where nobody tells the coordinator. */
  maxCertificateLifetimeMs: 7 * 86_400_000,
  /** Largest `software` text of a hello (UTF-8 bytes). */
  maxSoftwareBytes: MAX_SOFTWARE_BYTES,
  /** Longest target path in an offer or release. */
  maxTargetPathBytes: 256,
  /** Longest error code on the wire. */
  maxCodeBytes: 64,
  /** Longest public error message on the wire. */
  maxMessageBytes: 512,
  /** Most detail entries of a refusal. */
  maxDetailEntries: 16,
  /** Most metric coordinates beside one update. */
  maxMetrics: 64,
  /** Largest upload body: header and payload. */
  maxUpdateBytes: 512 * 1024 * 1024,
  /** Largest header of an upload body, its prefix included. */
  maxUpdateHeaderBytes: 2048,
  /** Most bytes that a member of a secure cohort gets for a step: the list of 10,000 members. */
  maxSecureInputBytes: 16 * 1024 * 1024,
  /** Largest model file accepted for publishing. */
  maxModelBytes: 1024 * 1024 * 1024,
  /** Largest manifest document. */
  maxManifestBytes: 1024 * 1024,
  /** Largest plan document. */
  maxPlanBytes: 4 * 1024 * 1024,
  /** Largest task document. */
  maxTaskSpecBytes: 64 * 1024,
  /** Most parameters (named tensors) of a model. */
  maxParameters: 65_536,
  /** Most inputs of a model, and most outputs. */
  maxPorts: MAX_PORTS,
  /** Most dimensions of a tensor. */
  maxRank: 8,

  /** A device that has not sent a valid hello this long after the upgrade is closed. */
  helloTimeoutMs: 5_000,
  /** How often a device sends a heartbeat when it has nothing else to say. */
  heartbeatIntervalMs: 15_000,
  /** A connection that was silent for this long is closed: it is half open. */
  idleTimeoutMs: 45_000,
  /** Longest time that a coordinator may send a device away for: a `wait` that says more is cut by the device. */
  maxReturnAfterMs: 24 * 3_600_000,
  /** Longest window for coming back; cut by the device too. */
  maxReturnWindowMs: 24 * 3_600_000,
  /** Most connections of one gateway, greeted or not. */
  maxConnections: 20_000,
  /** Most connections that have not said a valid hello yet. */
  maxUngreeted: 512,
  /** Most connections from one address; a home or office network shares one. */
  maxConnectionsPerAddress: 256,
  /** Messages a connection may send in a burst. */
  messageBurst: 64,
  /** Messages a second a connection may send on average. */
  messagesPerSecond: 16,
  /** A connection with more than this waiting to be sent is closed: its reader has stopped. */
  maxBufferedBytes: 256 * 1024,
});

/** Names of {@link LIMITS}. */
export type LimitName = keyof typeof LIMITS;
