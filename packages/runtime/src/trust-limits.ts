import type { Trust } from "./runtime.ts";

/** What a device insists on by itself, whatever a task says. */
export interface TrustLimits {
  readonly minimumCohort: number;
  readonly maxContributionsPerVersion: number;
  readonly minimumSeparationMs: number;
  readonly requireSecureAggregation: boolean;
  /** The issuer that the app pins, as it wrote it: see `readPublicKey`. */
  readonly issuer?: string;
}

export const TRUST_DEFAULTS = Object.freeze({
  minimumCohort: 16,
  maxContributionsPerVersion: 2,
  minimumSeparationMs: 0,
  requireSecureAggregation: false,
}) satisfies TrustLimits;

/** With two members each sees the other's update. */
const LEAST_COHORT = 3;

/** 64 hexadecimal digits, or base64url of 32 bytes. */
const PUBLIC_KEY = /^(?:[0-9a-f]{64}|[\w-]{42}[AEIMQUYcgkosw048])$/;

/** @throws RangeError for limits that limit nothing */
export function trustLimits(trust: Trust): TrustLimits {
  const given = trust === "first-use" ? TRUST_DEFAULTS : trust;
  const {
    minimumCohort = TRUST_DEFAULTS.minimumCohort,
    maxContributionsPerVersion = TRUST_DEFAULTS.maxContributionsPerVersion,
    minimumSeparationMs = TRUST_DEFAULTS.minimumSeparationMs,
    requireSecureAggregation = TRUST_DEFAULTS.requireSecureAggregation,
  } = given;
  requireAtLeast("minimumCohort", minimumCohort, LEAST_COHORT);
  requireAtLeast("maxContributionsPerVersion", maxContributionsPerVersion, 1);
  requireAtLeast("minimumSeparationMs", minimumSeparationMs, 0);
  const limits = {
    minimumCohort,
    maxContributionsPerVersion,
    minimumSeparationMs,
    requireSecureAggregation,
  };
  const issuer = trust === "first-use" ? undefined : trust.issuer;
  if (issuer === undefined) return limits;
  if (!PUBLIC_KEY.test(issuer)) {
    throw new RangeError(`createRuntime: trust.issuer must be an Ed25519 public key, got "${issuer}"`);
  }
  return { ...limits, issuer };
}

function requireAtLeast(
  name: "minimumCohort" | "maxContributionsPerVersion" | "minimumSeparationMs",
  value: number,
  least: number,
): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new RangeError(`createRuntime: trust.${name} must be an integer of at least ${least}, got ${value}`);
}
