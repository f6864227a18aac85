import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  decodeHex,
  failure,
  type DeviceId,
  type Digest,
  type Env,
  type TributaryError,
} from "@tributary/core";
import { fedAvg } from "@tributary/aggregation";
import {
  SecureExchange,
  type AdmittedMember,
  type RoundMean,
  type SecureRoundPlan,
  type SumLimits,
} from "@tributary/federation/aggregation";
import type { RoundConfig, RoundEffect } from "@tributary/federation";
import { count, createMetrics, trainingMetrics } from "@tributary/metrics";
import { verifyMember, type SecureStep, type SecureStepName } from "@tributary/protocol";
import { openNodeSecAggCrypto } from "@tributary/secagg/node";
import { traced } from "../../observability/tracing/traced.ts";
import type { CertificateLog } from "../../rooms.ts";
import { abortableChunks } from "../abortable-chunks.ts";
import { SerialQueue } from "../serial-queue.ts";
import { receiveUpdate } from "../update-file.ts";
import { capabilityOf, opensGrant, type Grant } from "./capability.ts";
import type { SteadyNow } from "../../steady-time.ts";
import { receiveSmall } from "./receive-small.ts";
import type { Unmasker } from "./unmasker.ts";

export interface SecureSessionOptions {
  readonly config: RoundConfig;
  readonly plan: SecureRoundPlan;
  readonly env: Env;
  /** What deadlines are kept by. */
  readonly steadyNow: SteadyNow;
  /** Masked vectors lie here until they are in the sum. */
  readonly folder: string;
  readonly unmasker: Unmasker;
  readonly certificateLog: Pick<CertificateLog, "requireLogged" | "prove">;
  /** Whether the round still waits for this member's answer. */
  expects(device: DeviceId, step: SecureStepName): boolean;
  /** A member's answer passed every check. */
  answered(device: DeviceId, step: SecureStepName): void;
  /** Resolves when everything that was answered so far is in the round's journal. */
  written(): Promise<void>;
  /** Masks were taken off. */
  progressed(): void;
}

/** What a member asks with. */
export interface MemberRequest {
  readonly step: SecureStepName;
  readonly member: number;
  readonly capability: Uint8Array;
}

type Opening = Extract<RoundEffect, { readonly type: "secure-open" }>;
type Asking = Extract<RoundEffect, { readonly type: "secure-step" }>;

/** A certificate must outlive the round: the other members verify it later than this coordinator does. */
const CERTIFICATE_MARGIN_MS = 60_000;
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
  readonly #candidates = new Map<DeviceId, AdmittedMember>();
  readonly #grants = new Map<string, Grant>();
  readonly #answers = new Map<string, Digest>();
  readonly #folding = new SerialQueue();
  readonly #ended = new AbortController();
  #roster: readonly DeviceId[] = [];
  #exchange: SecureExchange | undefined;
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
  async open(opening: Opening): Promise<readonly (Digest | null)[]> {
    if (opening.step === "advertise") await this.#begin(opening.members as readonly DeviceId[]);
    return this.#requireExchange().open(opening);
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
    return this.#requireExchange().inputOf(request.member);
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
      await this.#accept(grant, await receiveSmall(source, body), body.digest);
      return this.#options.written();
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
    await this.#options.written();
  }

  /**
   * The mean over the survivors, weighted by examples, when all steps are done.
   *
   * @throws `secagg/*`, `round/secure-sum-refused`, `round/aggregation-failed`
   */
  async mean(limits: SumLimits): Promise<RoundMean> {
    const { weights, statistics, totals } = await this.#finish((exchange, masks) =>
      exchange.finish(masks, limits),
    );
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
  metricSums(): Promise<{ readonly sums: Float64Array<ArrayBuffer>; readonly devices: number }> {
    return this.#finish((exchange, masks) => exchange.finishMetrics(masks));
  }

  async #finish<Sum extends { readonly liars: readonly number[] }>(
    sumOf: (exchange: SecureExchange, masks: readonly Uint32Array<ArrayBuffer>[]) => Sum,
  ): Promise<Sum> {
    const exchange = this.#requireExchange();
    const { unmasker, env, config } = this.#options;
    const work = await exchange.closeUnmask();
    const onProgress = (share: number): void => {
      this.unmasked = share;
      this.#options.progressed();
    };
    const masks = await traced(
      "aggregation.unmask",
      { "tributary.devices.cohort": this.#roster.length },
      () => unmasker.unmask(work, { signal: this.#ended.signal, onProgress }),
    );
    this.#exchange = undefined;
    this.unmasked = 1;
    const sum = sumOf(exchange, masks);
    if (sum.liars.length > 0) {
      const devices = sum.liars.map((member) => this.#roster[member]);
      env.log.warn("members gave false shares", { roundId: config.roundId, liars: devices });
    }
    return sum;
  }

  /** Forgets everything. */
  close(reason: TributaryError): void {
    this.#ended.abort(reason);
    this.#exchange = undefined;
    this.#candidates.clear();
  }

  async #begin(devices: readonly DeviceId[]): Promise<void> {
    const { plan, config, certificateLog } = this.#options;
    this.#roster = devices;
    const roster = devices.map((device) => this.#candidates.get(device)!);
    this.#candidates.clear();
    const membershipProof = await certificateLog.prove(roster.map(({ certificate }) => certificate));
    const crypto = openNodeSecAggCrypto();
    const breathe = () => new Promise(setImmediate);
    const exchange = await SecureExchange.begin({ config, plan, roster, membershipProof, crypto, breathe });
    this.#ended.signal.throwIfAborted();
    this.#exchange = exchange;
  }

  async #accept({ step, member }: Grant, bytes: Uint8Array<ArrayBuffer>, digest: Digest): Promise<void> {
    const exchange = this.#requireExchange();
    if (!this.#options.expects(this.#roster[member]!, step)) {
      throw failure("secagg/phase-over", `rounds: member ${member} is not waited for in ${step} any more`);
    }
    await exchange.accept({ step, member }, bytes, digest);
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
    if (this.#options.steadyNow() <= deadlineMs && this.#exchange?.isIn(step) === true) return;
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

  #requireExchange(): SecureExchange {
    if (this.#exchange !== undefined) return this.#exchange;
    throw failure("secagg/phase-over", `rounds: the cohort of ${this.#options.config.roundId} is over`);
  }
}

/** Session id, member, and the vector's length. */
const MASKED_INPUT_OVERHEAD = 32 + 2 + 4;
const SMALL_ANSWER_BYTES = 512;
/** A share for a neighbour, with its number: 88 bytes at most. */
const ANSWER_BYTES_PER_MEMBER = 96;

function slot({ step, member }: { readonly step: SecureStepName; readonly member: number }): string {
  return `${step} ${member}`;
}
