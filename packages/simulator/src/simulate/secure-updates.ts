import { fedAvg } from "@tributary/aggregation";
import { decodeHex, failure, sha256, type DeviceId, type Digest } from "@tributary/core";
import type { RoundConfig, RoundEffect } from "@tributary/federation";
import {
  SecureExchange,
  type AdmittedMember,
  type PlanRules,
  type RoundMean,
  type SecureRoundPlan,
} from "@tributary/federation/aggregation";
import { count, createMetrics, trainingMetrics } from "@tributary/metrics";
import type { SecureReady, SecureStepName, VerifyMember } from "@tributary/protocol";
import { sumOfMasks } from "@tributary/secagg";
import { openNodeSecAggCrypto } from "@tributary/secagg/node";

export interface SecureUpdatesOptions {
  readonly config: RoundConfig;
  readonly secure: SecureRoundPlan;
  readonly verifyMember: VerifyMember;
}

type Opening = Extract<RoundEffect, { readonly type: "secure-open" }>;

/** The updates of a round of which the server sees the sum alone. */
export class SecureUpdates {
  readonly metrics = createMetrics(trainingMetrics);
  readonly #options: SecureUpdatesOptions;
  readonly #crypto = openNodeSecAggCrypto();
  readonly #candidates = new Map<DeviceId, AdmittedMember>();
  #exchange: SecureExchange | undefined;

  constructor(options: SecureUpdatesOptions) {
    this.#options = options;
  }

  /** @throws `identity/*` */
  async admit(
    device: DeviceId,
    { certificate, commitment }: Pick<SecureReady, "certificate" | "commitment">,
    nowMs: number,
  ): Promise<void> {
    const { secure, verifyMember } = this.#options;
    const identity = await verifyMember(certificate, {
      issuerPublicKey: decodeHex(secure.plan.issuerPublicKey),
      population: secure.population,
      nowMs,
    });
    this.#candidates.set(device, { certificate, commitment: decodeHex(commitment), identity });
  }

  /** @throws `secagg/*` */
  async open(opening: Opening): Promise<readonly (Digest | null)[]> {
    if (opening.step === "advertise") {
      const { config, secure } = this.#options;
      this.#exchange = await SecureExchange.begin({
        config,
        plan: secure,
        roster: opening.members.map((device) => this.#candidates.get(device!)!),
        membershipProof: new Uint8Array(0),
        crypto: this.#crypto,
      });
      this.#candidates.clear();
    }
    return this.#exchange!.open(opening);
  }

  /** @throws `secagg/phase-over` */
  input(step: SecureStepName, member: number): Uint8Array<ArrayBuffer> {
    if (this.#exchange?.isIn(step) === true) return this.#exchange.inputOf(member);
    throw failure("secagg/phase-over", `simulate: ${step} is over`, { detail: { step } });
  }

  /** @throws `secagg/*` */
  async accept(step: SecureStepName, member: number, answer: Uint8Array): Promise<void> {
    await this.#exchange!.accept({ step, member }, answer, sha256(answer));
  }

  /** @throws `secagg/*`, `round/secure-sum-refused` */
  async mean({ plan }: PlanRules): Promise<RoundMean> {
    const { weights, statistics, totals } = this.#exchange!.finish([await this.#masks()], {
      maxUpdateNorm: plan.maxUpdateNorm,
      maxStatisticChange: plan.update.maxStatisticChange,
    });
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

  /** Of a round of measurements. @throws `secagg/*`, `round/secure-sum-refused` */
  async measured(): Promise<{ readonly sums: Float64Array; readonly devices: number }> {
    return this.#exchange!.finishMetrics([await this.#masks()]);
  }

  async #masks() {
    return sumOfMasks(this.#crypto, await this.#exchange!.closeUnmask());
  }
}
