import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  decode,
  decodeHex,
  encode,
  failure,
  sha256,
  type DeviceId,
  type Digest,
  type Env,
  type TributaryError,
} from "@tributary/core";
import { fedAvg } from "@tributary/aggregation";
import { fromMetricSegments, type RoundConfig, type RoundEffect } from "@tributary/federation";
import { count, createMetrics, trainingMetrics } from "@tributary/metrics";
import { measuredWeights, verifyMember, type SecureStep, type SecureStepName } from "@tributary/protocol";
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
  type CohortSum,
  type VerifiedIdentity,
} from "@tributary/secagg";
import { openNodeSecAggCrypto } from "@tributary/secagg/node";
import type { CertificateLog } from "../../rooms.ts";
import { abortableChunks } from "../abortable-chunks.ts";
import type { SecureRoundPlan } from "../round-plan.ts";
import { SerialQueue } from "../serial-queue.ts";
import { receiveUpdate } from "../update-file.ts";
import { capabilityOf, opensGrant, type Grant } from "./capability.ts";
import type { RoundMean } from "../update-aggregate.ts";
import { checkCohortSum, decodedSum, type SumLimits } from "./cohort-sum.ts";
import { receiveSmall } from "./receive-small.ts";
import type { Unmasker } from "./unmasker.ts";

export interface SecureSessionOptions {
  readonly config: RoundConfig;
  readonly plan: SecureRoundPlan;
  readonly env: Env;
  /** Masked vectors lie here until they are in the sum. */
  readonly folder: string;
  readonly unmasker: Unmasker;
  readonly certificateLog: Pick<CertificateLog, "requireLogged" | "prove">;
  /** Whether the round still waits for this member's answer. */
  expects(device: DeviceId, step: SecureStepName): boolean;
  /** A member's answer passed every check. */
  answered(device: DeviceId, step: SecureStepName): void;
  /** Masks were taken off. */
  progressed(): void;
}

/** What a member asks with. */
export interface MemberRequest {
  readonly step: SecureStepName;
  readonly member: number;
  readonly capability: Uint8Array;
}

/** A device that said ready, with a certificate that was verified. */
interface Candidate {
  readonly certificate: Uint8Array;
  readonly commitment: Uint8Array;
  readonly identity: VerifiedIdentity;
}

type Opening = Extract<RoundEffect, { readonly type: "secure-open" }>;
type Asking = Extract<RoundEffect, { readonly type: "secure-step" }>;

/** A certificate must outlive the round: the other members verify it later than this coordinator does. */
const CERTIFICATE_MARGIN_MS = 60_000;
/** Members whose inboxes are hashed before others get a turn. */
const INBOXES_AT_A_TIME = 64;

/**
 * The driver of one cohort: what its members get and put, whether they may, and the sum. Everything it holds is in
 * memory, but for masked vectors while they arrive; a cohort that a crash interrupts is gone.
 */
export class SecureSession {
  numExamples = 0;
  readonly metrics: Float64Array<ArrayBuffer> = createMetrics(trainingMetrics);
  bytesUp = 0;
  /** How much of the masks has been taken off, from 0 to 1. */
  unmasked = 0;
  readonly #options: SecureSessionOptions;
  readonly #key: Uint8Array;
  readonly #candidates = new Map<DeviceId, Candidate>();
  readonly #grants = new Map<string, Grant>();
  readonly #answers = new Map<string, Digest>();
  readonly #folding = new SerialQueue();
  readonly #ended = new AbortController();
  #roster: readonly DeviceId[] = [];
  #server: SecAggServer | undefined;
  /** What all members get in the step under way. */
  #published: Uint8Array<ArrayBuffer> | undefined;
  #nextFile = 1;

  constructor(options: SecureSessionOptions) {
    this.#options = options;
    this.#key = options.env.random.bytes(32);
  }

  /**
   * Takes a device that is ready, once its certificate is known to hold for as long as the round may last.
   *
   * @throws `identity/*`
   */
  async admit(
    device: DeviceId,
    { certificate, commitment }: { readonly certificate: Uint8Array; readonly commitment: Digest },
  ): Promise<void> {
    const { config, env, certificateLog } = this.#options;
    const lastsMs = config.trainDeadlineMs + 5 * config.secure!.stepDeadlineMs + CERTIFICATE_MARGIN_MS;
    const nowMs = env.clock.now();
    const identity = await verifyMember(certificate, { ...this.#issuer(), nowMs });
    if (identity.deviceId !== device) {
      throw failure(
        "identity/device-mismatch",
        `rounds: ${device} showed a certificate of ${identity.deviceId}`,
      );
    }
    if (identity.notAfterMs < nowMs + lastsMs) {
      throw failure(
        "identity/certificate-expired",
        `rounds: the certificate of ${device} may end before its round does`,
        { detail: { notAfterMs: identity.notAfterMs, nowMs } },
      );
    }
    // The others look for it in the log; one that was never presented would end the cohort.
    await certificateLog.requireLogged(certificate);
    this.#candidates.set(device, { certificate, commitment: decodeHex(commitment), identity });
  }

  /**
   * Closes the step before and prepares what members need for this one; its first part is done when this returns, so
   * that no answer slips in between.
   *
   * @returns digests by member
   * @throws `secagg/*`: then there is no sum
   */
  async open({ step, members }: Opening): Promise<readonly (Digest | null)[]> {
    if (step === "advertise") return this.#openCohort(members as readonly DeviceId[]);
    const server = this.#requireServer();
    switch (step) {
      case "share":
        return this.#publish(members, encode(KeyList, server.closeAdvertise()));
      case "mask":
        this.#published = undefined;
        server.closeShares();
        return this.#inboxDigests(members);
      case "sign":
        return this.#publish(members, encode(Survivors, server.closeMaskedInput()));
      case "unmask":
        return this.#publish(members, encode(SignatureList, server.closeConsistency()));
      default: {
        const never: never = step;
        throw new TypeError(`rounds: no such step ${String(never)}`);
      }
    }
  }

  /** The control message for a step, with what opens it to this member alone. */
  ask(asking: Asking): { readonly type: "secure-step" } & Readonly<SecureStep> {
    const { step, member, digest, deadlineMs } = asking;
    const { roundId } = this.#options.config;
    const grant: Grant = { roundId, step, member, digest, deadlineMs, maxBytes: this.#maxBytes(step) };
    this.#grants.set(slot(grant), grant);
    const capability = capabilityOf(this.#key, grant);
    return { type: "secure-step", roundId, step, member, digest, deadlineMs, capability };
  }

  /** @throws `secagg/invalid-capability`, `secagg/phase-over` */
  input(request: MemberRequest): Uint8Array<ArrayBuffer> {
    const grant = this.#requireGrant(request);
    this.#requireUnderWay(grant);
    return this.#published ?? encode(ShareInbox, this.#requireServer().inboxOf(request.member));
  }

  /**
   * Before a byte of an answer is read: this member may answer, and has not said anything else.
   *
   * @throws `secagg/invalid-capability`, `secagg/phase-over`, `secagg/already-uploaded`
   */
  requireMayAnswer(request: MemberRequest, digest: Digest): Grant {
    const grant = this.#requireGrant(request);
    const before = this.#answers.get(slot(request));
    if (before === digest) return grant;
    if (before !== undefined) {
      throw failure("secagg/already-uploaded", `rounds: ${request.step} was answered with ${before}`, {
        detail: { member: request.member },
      });
    }
    this.#requireUnderWay(grant);
    return grant;
  }

  /**
   * One member's answer to a step. The same again is accepted again.
   *
   * @throws `secagg/*`, `update/*`, `codec/*`
   */
  async answer(
    request: MemberRequest,
    body: {
      readonly digest: Digest;
      readonly sizeBytes: number;
      readonly source: AsyncIterable<Uint8Array>;
    },
  ): Promise<void> {
    const grant = this.requireMayAnswer(request, body.digest);
    if (this.#answers.has(slot(request))) return;
    if (body.sizeBytes > grant.maxBytes) {
      throw failure("update/too-large", `rounds: ${body.sizeBytes} bytes, at most ${grant.maxBytes}`, {
        detail: { sizeBytes: body.sizeBytes, maxBytes: grant.maxBytes },
      });
    }
    const { signal } = this.#ended;
    const source = abortableChunks(body.source, signal, this);
    if (grant.step !== "mask") {
      return this.#accept(grant, await receiveSmall(source, body), body.digest);
    }
    const name = `${grant.roundId}-${grant.member}-${this.#nextFile++}.masked`;
    const file = await receiveUpdate(source, join(this.#options.folder, name), body);
    try {
      // One at a time: memory is the sum and one vector, however many arrive.
      await this.#folding.run(async () => {
        signal.throwIfAborted();
        await this.#accept(grant, await readFile(file.path), body.digest);
      });
    } finally {
      await file.remove();
    }
  }

  /**
   * The mean over the survivors, weighted by examples, when all steps are done.
   *
   * @throws `secagg/*`, `round/secure-sum-refused`, `round/aggregation-failed`
   */
  async mean(limits: SumLimits): Promise<RoundMean> {
    const cohort = await this.#sum();
    const { weights, statistics, totals } = checkCohortSum(this.#options.plan.encoding, cohort, limits);
    this.numExamples = totals.examples;
    for (const name of ["lossSum", "correct", "examples", "steps"] as const) {
      count(trainingMetrics, this.metrics, name, totals[name]);
    }
    const { updates, totalExamples } = weights;
    return {
      weights: fedAvg.mean(weights),
      statistics: fedAvg.mean(statistics),
      updates,
      totalExamples,
    };
  }

  /**
   * The sums of what the survivors measured, when all steps are done.
   *
   * @throws `secagg/*`, `round/secure-sum-refused`
   */
  async metricSums(): Promise<{ readonly sums: Float64Array<ArrayBuffer>; readonly devices: number }> {
    const cohort = await this.#sum();
    const { encoding } = this.#options.plan;
    const devices = cohort.contributors.length;
    return { sums: fromMetricSegments(decodedSum(encoding, cohort.sum, devices)), devices };
  }

  async #sum(): Promise<CohortSum> {
    const server = this.#requireServer();
    const { unmasker, env, config } = this.#options;
    const work = await server.closeUnmask();
    const masks = await unmasker.unmask(work, {
      signal: this.#ended.signal,
      onProgress: (share) => {
        this.unmasked = share;
        this.#options.progressed();
      },
    });
    const cohort = server.finish(masks);
    this.#server = undefined;
    this.unmasked = 1;
    if (cohort.liars.length > 0) {
      const liars = cohort.liars.map((member) => this.#roster[member]);
      env.log.warn("members gave false shares", { roundId: config.roundId, liars });
    }
    return cohort;
  }

  /** Forgets everything. */
  close(reason: TributaryError): void {
    this.#ended.abort(reason);
    this.#server = undefined;
    this.#published = undefined;
    this.#candidates.clear();
  }

  async #openCohort(roster: readonly DeviceId[]): Promise<readonly (Digest | null)[]> {
    const { plan, config, certificateLog } = this.#options;
    this.#roster = roster;
    const members = roster.map((device) => this.#candidates.get(device)!);
    this.#candidates.clear();
    const identities = new Map(members.map(({ certificate, identity }) => [certificate, identity]));
    const membershipProof = await certificateLog.prove(members.map(({ certificate }) => certificate));
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
      members,
      membershipProof,
      // Each was verified when its device said ready.
      verifyCertificate: (certificate) => Promise.resolve(identities.get(certificate)!),
      crypto: openNodeSecAggCrypto(),
    });
    this.#ended.signal.throwIfAborted();
    this.#server = server;
    return this.#publish(roster, encode(CohortList, server.cohort));
  }

  #publish(members: readonly unknown[], bytes: Uint8Array<ArrayBuffer>): readonly (Digest | null)[] {
    this.#published = bytes;
    const digest = sha256(bytes);
    return members.map((member) => (member === null ? null : digest));
  }

  async #inboxDigests(members: readonly (DeviceId | null)[]): Promise<readonly (Digest | null)[]> {
    const digests: (Digest | null)[] = [];
    for (const [member, device] of members.entries()) {
      if (member % INBOXES_AT_A_TIME === INBOXES_AT_A_TIME - 1) await new Promise(setImmediate);
      digests.push(
        device === null ? null : sha256(encode(ShareInbox, this.#requireServer().inboxOf(member))),
      );
    }
    return digests;
  }

  async #accept({ step, member }: Grant, bytes: Uint8Array<ArrayBuffer>, digest: Digest): Promise<void> {
    const server = this.#requireServer();
    if (!this.#options.expects(this.#roster[member]!, step)) {
      throw failure("secagg/phase-over", `rounds: member ${member} is not waited for in ${step} any more`);
    }
    switch (step) {
      case "advertise":
        await server.acceptAdvertisement(ofMember(member, decode(Advertisement, bytes)), digest);
        break;
      case "share":
        server.acceptShares(ofMember(member, decode(ShareBundle, bytes)), digest);
        break;
      case "mask":
        server.acceptMaskedInput(ofMember(member, decode(MaskedInput, bytes)), digest);
        break;
      case "sign":
        await server.acceptSignature(ofMember(member, decode(SurvivorSignature, bytes)), digest);
        break;
      case "unmask":
        server.acceptUnmaskShares(ofMember(member, decode(UnmaskShares, bytes)), digest);
        break;
      default: {
        const never: never = step;
        throw new TypeError(`rounds: no such step ${String(never)}`);
      }
    }
    // With the server's own record, and before anyone else has a turn: fold and membership are one.
    this.#answers.set(slot({ step, member }), digest);
    this.#options.answered(this.#roster[member]!, step);
  }

  /** The grant that a request's capability opens. */
  #requireGrant({ step, member, capability }: MemberRequest): Grant {
    const grant = this.#grants.get(slot({ step, member }));
    if (grant !== undefined && opensGrant(this.#key, grant, capability)) return grant;
    throw failure("secagg/invalid-capability", `rounds: no capability for ${step} of member ${member}`);
  }

  #requireUnderWay({ roundId, step, deadlineMs }: Grant): void {
    const { clock } = this.#options.env;
    if (clock.now() <= deadlineMs && this.#server?.stage === STAGES[step]) return;
    throw failure("secagg/phase-over", `rounds: ${step} of ${roundId} is over`, { detail: { step } });
  }

  /** Most bytes of an answer; a masked vector's are known exactly. */
  #maxBytes(step: SecureStepName): number {
    const { packedBytes } = this.#options.plan.encoding;
    if (step === "mask") return packedBytes + MASKED_INPUT_OVERHEAD;
    return SMALL_ANSWER_BYTES + this.#roster.length * ANSWER_BYTES_PER_MEMBER;
  }

  #issuer(): { readonly issuerPublicKey: Uint8Array; readonly population: string } {
    const { plan } = this.#options;
    return { issuerPublicKey: decodeHex(plan.plan.issuerPublicKey), population: plan.population };
  }

  #requireServer(): SecAggServer {
    if (this.#server !== undefined) return this.#server;
    throw failure("secagg/phase-over", `rounds: the cohort of ${this.#options.config.roundId} is over`);
  }
}

/** Session id, member, and the vector's length. */
const MASKED_INPUT_OVERHEAD = 32 + 2 + 4;
const SMALL_ANSWER_BYTES = 512;
/** A share for a neighbour, with its number: 88 bytes at most. */
const ANSWER_BYTES_PER_MEMBER = 96;

/** The server's name of each step. */
const STAGES = {
  advertise: "advertise",
  share: "shareKeys",
  mask: "maskedInput",
  sign: "consistency",
  unmask: "unmask",
} as const satisfies Record<SecureStepName, SecAggServer["stage"]>;

function slot({ step, member }: { readonly step: SecureStepName; readonly member: number }): string {
  return `${step} ${member}`;
}

/** A member speaks for itself only. */
function ofMember<T extends { readonly member: number }>(member: number, message: T): T {
  if (message.member === member) return message;
  throw failure("secagg/unknown-member", `rounds: member ${member} spoke as member ${message.member}`, {
    detail: { member },
  });
}
