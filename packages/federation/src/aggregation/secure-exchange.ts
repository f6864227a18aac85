import { decode, encode, failure, sha256, type DeviceId, type Digest } from "@tributary/core";
import { measuredWeights, type SecureStepName } from "@tributary/protocol";
import {
  Advertisement,
  CohortList,
  KeyList,
  MaskedInput,
  SecAggServer,
  ShareBundle,
  ShareInbox,
  SignatureList,
  Survivors,
  SurvivorSignature,
  UnmaskShares,
  type SecAggCrypto,
  type UnmaskWork,
  type VerifiedIdentity,
} from "@tributary/secagg";
import type { RoundConfig, RoundEffect } from "../server/round-types.ts";
import { fromMetricSegments } from "../metric-vector.ts";
import { checkCohortSum, decodedSum, type CheckedSum, type SumLimits } from "./cohort-sum.ts";
import type { SecureRoundPlan } from "./plan-rules.ts";

/** A device that said ready, with a certificate that was verified. */
export interface AdmittedMember {
  readonly certificate: Uint8Array;
  readonly commitment: Uint8Array;
  readonly identity: VerifiedIdentity;
}

export interface SecureExchangeOptions {
  readonly config: RoundConfig;
  readonly plan: SecureRoundPlan;
  /** By member. */
  readonly roster: readonly AdmittedMember[];
  /** That the members were admitted in the open. */
  readonly membershipProof: CohortList["membershipProof"];
  readonly crypto: SecAggCrypto;
  /** Called between pieces of long work, so that others have a turn. */
  readonly breathe?: () => Promise<unknown>;
}

/** Members whose inboxes are hashed before others get a turn. */
const INBOXES_AT_A_TIME = 64;

/** The server's name of each step. */
const STAGES = {
  advertise: "advertise",
  share: "shareKeys",
  mask: "maskedInput",
  sign: "consistency",
  unmask: "unmask",
} as const satisfies Record<SecureStepName, SecAggServer["stage"]>;

/** What the members of one secure cohort get and give as bytes, step by step, and the sum; no transport. */
export class SecureExchange {
  readonly #options: SecureExchangeOptions;
  readonly #server: SecAggServer;
  /** What all members get in the step under way; undefined where each gets its own. */
  #published: Uint8Array<ArrayBuffer> | undefined;

  private constructor(options: SecureExchangeOptions, server: SecAggServer) {
    this.#options = options;
    this.#server = server;
    this.#published = encode(CohortList, server.cohort);
  }

  /** @throws `secagg/*` */
  static async begin(options: SecureExchangeOptions): Promise<SecureExchange> {
    const { config, plan, roster, membershipProof, crypto } = options;
    const identities = new Map(roster.map(({ certificate, identity }) => [certificate, identity]));
    const server = await SecAggServer.open({
      binding: {
        task: config.task,
        round: config.roundId,
        plan: config.plan.digest,
        baseWeights: measuredWeights(config.weights.digest, config.measurement?.candidate?.weightsDigest),
        encoding: plan.encoding.digest,
      },
      encoding: plan.encoding,
      assumptions: plan.assumptions,
      minimumCohort: config.minimumCount,
      members: roster,
      membershipProof,
      // Each was verified when its device said ready.
      verifyCertificate: (certificate) => Promise.resolve(identities.get(certificate)!),
      crypto,
    });
    return new SecureExchange(options, server);
  }

  isIn(step: SecureStepName): boolean {
    return this.#server.stage === STAGES[step];
  }

  /**
   * Closes the step before and prepares what members need for this one; its first part is done when this returns, so
   * that no answer slips in between.
   *
   * @returns digests by member
   * @throws `secagg/*`: then there is no sum
   */
  async open({
    step,
    members,
  }: Extract<RoundEffect, { readonly type: "secure-open" }>): Promise<readonly (Digest | null)[]> {
    switch (step) {
      case "advertise":
        break;
      case "share":
        this.#published = encode(KeyList, this.#server.closeAdvertise());
        break;
      case "mask":
        this.#published = undefined;
        this.#server.closeShares();
        return this.#inboxDigests(members);
      case "sign":
        this.#published = encode(Survivors, this.#server.closeMaskedInput());
        break;
      case "unmask":
        this.#published = encode(SignatureList, this.#server.closeConsistency());
        break;
      default: {
        const never: never = step;
        throw new TypeError(`secure: no such step ${String(never)}`);
      }
    }
    const digest = sha256(this.#published!);
    return members.map((member) => (member === null ? null : digest));
  }

  /** What a member needs for the step under way. */
  inputOf(member: number): Uint8Array<ArrayBuffer> {
    return this.#published ?? encode(ShareInbox, this.#server.inboxOf(member));
  }

  /** @throws `secagg/*`, `codec/*` */
  async accept(
    { step, member }: { readonly step: SecureStepName; readonly member: number },
    bytes: Uint8Array,
    digest: Digest,
  ): Promise<void> {
    const server = this.#server;
    switch (step) {
      case "advertise":
        await server.acceptAdvertisement(ofMember(member, decode(Advertisement, bytes)), digest);
        return;
      case "share":
        server.acceptShares(ofMember(member, decode(ShareBundle, bytes)), digest);
        return;
      case "mask":
        server.acceptMaskedInput(ofMember(member, decode(MaskedInput, bytes)), digest);
        return;
      case "sign":
        await server.acceptSignature(ofMember(member, decode(SurvivorSignature, bytes)), digest);
        return;
      case "unmask":
        server.acceptUnmaskShares(ofMember(member, decode(UnmaskShares, bytes)), digest);
        return;
      default: {
        const never: never = step;
        throw new TypeError(`secure: no such step ${String(never)}`);
      }
    }
  }

  /** The masks that stand between the masked sum and the sum. @throws `secagg/*` */
  closeUnmask(): Promise<UnmaskWork> {
    return this.#server.closeUnmask();
  }

  /**
   * @param masks of each part of the work that `closeUnmask` gave
   * @returns the sum, and the members that gave false shares
   * @throws `secagg/*`, `round/secure-sum-refused`
   */
  finish(
    masks: readonly Uint32Array<ArrayBuffer>[],
    limits: SumLimits,
  ): CheckedSum & { readonly liars: readonly number[] } {
    const cohort = this.#server.finish(masks);
    return { ...checkCohortSum(this.#options.plan.encoding, cohort, limits), liars: cohort.liars };
  }

  /**
   * The sums of what members measured, in a round without updates.
   *
   * @param masks as of {@link finish}
   * @throws `secagg/*`, `round/secure-sum-refused`
   */
  finishMetrics(masks: readonly Uint32Array<ArrayBuffer>[]): {
    readonly sums: Float64Array<ArrayBuffer>;
    readonly devices: number;
    readonly liars: readonly number[];
  } {
    const { encoding, metrics = [] } = this.#options.plan;
    const { sum, contributors, liars } = this.#server.finish(masks);
    const devices = contributors.length;
    const decoded = decodedSum(encoding, sum, devices);
    return { sums: fromMetricSegments(metrics, encoding.spec.segments, decoded, devices), devices, liars };
  }

  async #inboxDigests(members: readonly (DeviceId | null)[]): Promise<readonly (Digest | null)[]> {
    const digests: (Digest | null)[] = [];
    for (const [member, device] of members.entries()) {
      if (member % INBOXES_AT_A_TIME === INBOXES_AT_A_TIME - 1) await this.#options.breathe?.();
      digests.push(device === null ? null : sha256(encode(ShareInbox, this.#server.inboxOf(member))));
    }
    return digests;
  }
}

/** A member speaks for itself only. */
function ofMember<T extends { readonly member: number }>(member: number, message: T): T {
  if (message.member === member) return message;
  throw failure("secagg/unknown-member", `rounds: member ${member} spoke as member ${message.member}`, {
    detail: { member },
  });
}
