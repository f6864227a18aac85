/** Bounds on everything an attacker on the wire controls. Sizes follow tuf-js; the spec leaves W, X, Y and Z to the application. */
export interface TufLimits {
  /** Root versions fetched in one refresh (spec 5.3.3, Y). */
  readonly maxRootRotations: number;
  /** Bytes of one root file (spec 5.3.3, W). */
  readonly maxRootBytes: number;
  /** Bytes of timestamp.json (spec 5.4.1, X). */
  readonly maxTimestampBytes: number;
  /** Bytes of a snapshot file, even if the timestamp lists more (spec 5.5.1, Y). */
  readonly maxSnapshotBytes: number;
  /** Bytes of a targets file, even if the snapshot lists more (spec 5.6.1, Z). */
  readonly maxTargetsBytes: number;
  /** Delegated roles visited for one target (spec 5.6.7.1). */
  readonly maxDelegations: number;
}

export const DEFAULT_TUF_LIMITS = Object.freeze({
  maxRootRotations: 256,
  maxRootBytes: 512_000,
  maxTimestampBytes: 16_384,
  maxSnapshotBytes: 2_000_000,
  maxTargetsBytes: 5_000_000,
  maxDelegations: 32,
}) satisfies TufLimits;

/** Bounds inside one metadata file. They hold for every file and are not options. */
export const METADATA_BOUNDS = Object.freeze({
  /** Nesting of objects and arrays. */
  maxDepth: 32,
  maxSignatures: 256,
  maxKeys: 256,
  /** Hexadecimal characters of a signature: RSA-8192 and some room. */
  maxSignatureHex: 4_096,
  /** Characters of a PEM public key. */
  maxPublicKeyText: 4_096,
  /** Characters of a target path, and of a pattern for some. */
  maxPathLength: 1_024,
  /** Characters of a delegated role's name. */
  maxRoleName: 256,
  /** Patterns or prefixes of one delegated role: 2^14 bins of hashes. */
  maxPatterns: 16_384,
});

/** Fills in defaults and checks that every limit is a positive integer. */
export function resolveLimits(limits: Partial<TufLimits> = {}): TufLimits {
  const resolved: TufLimits = { ...DEFAULT_TUF_LIMITS, ...limits };
  for (const [name, value] of Object.entries(resolved)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`tuf: limits.${name} must be a positive integer, got ${value}`);
    }
  }
  return resolved;
}
