import { encodeHex, failure, type Logger } from "@tributary/core";
import { readPublicKey, type IssuerDocument, type SecurePlan } from "@tributary/protocol";
import type { Trust } from "./runtime.ts";
import type { MetadataStore } from "./store/device-store.ts";
import type { ReleaseHttp } from "./transport/release-http.ts";

/** What a device insists on by itself, whatever a task says. */
export interface TrustLimits {
  readonly minimumCohort: number;
  readonly maxContributionsPerVersion: number;
  readonly minimumSeparationMs: number;
  readonly requireSecureAggregation: boolean;
  /** The issuer that the app pins, in hexadecimal. */
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
  const key = readPublicKey(issuer);
  if (key === undefined) {
    throw new RangeError(`createRuntime: trust.issuer must be an Ed25519 public key, got "${issuer}"`);
  }
  return { ...limits, issuer: encodeHex(key) };
}

/**
 * That a plan's members are vouched for by the issuer that the release names, and by the one that the app pins, if it pins
 * one: who signs releases could name another.
 *
 * @throws `federation/plan-refused`
 */
export function requireIssuer(
  { issuer }: TrustLimits,
  { issuerPublicKey }: SecurePlan,
  released: IssuerDocument,
): void {
  const refused = (whose: string): Error =>
    failure("federation/plan-refused", `learner: the plan names issuer ${issuerPublicKey}, ${whose}`, {
      detail: { issuer: issuerPublicKey },
    });
  if (released.publicKey !== issuerPublicKey) throw refused(`the release ${released.publicKey}`);
  if (issuer !== undefined && issuer !== issuerPublicKey) throw refused(`this app pins ${issuer}`);
}

function requireAtLeast(
  name: "minimumCohort" | "maxContributionsPerVersion" | "minimumSeparationMs",
  value: number,
  least: number,
): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new RangeError(`createRuntime: trust.${name} must be an integer of at least ${least}, got ${value}`);
}

const MAX_ROOT_BYTES = 512 * 1024;

/**
 * The root a device starts from: the pinned one, or with trust "first-use" the one stored at the first contact.
 * Nothing protects that first contact, which is why it is spelled out by the app and said in the log.
 */
export function trustedRoot(options: {
  readonly pinned: Uint8Array | undefined;
  readonly store: MetadataStore;
  readonly http: Pick<ReleaseHttp, "metadata">;
  readonly log: Logger;
}): () => Promise<Uint8Array> {
  const { pinned, store, http, log } = options;
  return async () => {
    if (pinned !== undefined) return pinned;
    const stored = await store.read("root");
    if (stored !== undefined) return stored;
    log.warn("trust on first use: the coordinator's root is believed unseen; pin a root in production");
    const root = await http.metadata("1.root.json", { maxBytes: MAX_ROOT_BYTES });
    if (root === undefined) {
      throw failure("tuf/missing-metadata", "trust: the coordinator serves no 1.root.json");
    }
    await store.write("root", root);
    return root;
  };
}
