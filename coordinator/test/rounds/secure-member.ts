import {
  encodeBase64url,
  encodeHex,
  sha256,
  silentLogger,
  systemEnv,
  systemRandom,
  type Digest,
} from "@tributary/core";
import { createInsecureTestRandom } from "@tributary/core/testing";
import { toSecureSegments } from "@tributary/federation";
import {
  CAPABILITY_SCHEME,
  createMemberVerifier,
  parseMeasurementPlan,
  parsePlan,
  secureAnswerPath,
  secureInputPath,
  type SecureStep,
  type SecureStepName,
} from "@tributary/protocol";
import { encodeContribution, planEncoding, type EncodingPlan } from "@tributary/secagg";
import { openNodeSecAggCrypto } from "@tributary/secagg/node";
// A test may use the runtime; the package must not.
import {
  createMetricMember,
  createSecureMember,
  type SecureMember,
} from "../../../packages/runtime/src/participation/secure-member.ts";
import type { RoundDevice } from "./rounds-room.ts";

/** What a member gives to the sum. */
export interface Gift {
  readonly value: number;
  readonly examples: number;
  /** @defaultValue half of the examples */
  readonly correct?: number;
}

export interface Answer {
  readonly status: number;
  readonly code: string | undefined;
}

/** A device's own member of a secure cohort, whose socket and requests the test scripts, step by step. */
export class ScriptedMember {
  readonly device: RoundDevice;
  readonly url: string;
  readonly encoding: EncodingPlan;
  /** Its codes, before they are masked. */
  readonly codes: Uint32Array;
  readonly #member: SecureMember;

  private constructor(
    more: Pick<ScriptedMember, "device" | "url" | "encoding" | "codes">,
    member: SecureMember,
  ) {
    this.device = more.device;
    this.url = more.url;
    this.encoding = more.encoding;
    this.codes = more.codes;
    this.#member = member;
  }

  /** Takes the offer and says ready. */
  static async ready(url: string, device: RoundDevice, gift: Gift): Promise<ScriptedMember> {
    const offer = await device.offer();
    const plan = parsePlan(
      new Uint8Array(await (await fetch(`${url}/v1/blobs/${offer.planDigest}`)).arrayBuffer()),
    );
    const secure = plan.secureAggregation!;
    const encoding = planEncoding(secure.encoding);
    const { examples, correct = Math.floor(examples / 2) } = gift;
    const update = new Float32Array(encoding.segments[0]!.count).fill(gift.value);
    const totals = { examples, correct, steps: 3, lossSum: 2 * examples };
    // The same random numbers again give the codes that the member will mask.
    const seed = encodeHex(systemRandom.bytes(16));
    const values = toSecureSegments(update, update.length, totals);
    const twin = createInsecureTestRandom(seed);
    const codes = encodeContribution(encoding, { weight: examples, values }, twin).vector.spend();
    const { identity } = device;
    const { certificate } = identity;
    const member = await createSecureMember({
      offer,
      plan: secure,
      population: plan.population,
      layout: plan.update,
      // Whether it clips is the gift's business.
      maxUpdateNorm: Number.MAX_VALUE,
      update,
      totals,
      identity,
      certificate,
      minimumCohort: 3,
      verifyMember: createMemberVerifier(),
      env: { ...systemEnv({ log: silentLogger }), random: createInsecureTestRandom(seed) },
      crypto: openNodeSecAggCrypto(),
      // Whether members stand in the log is not what these rounds are about.
      log: { requireMembers: () => Promise.resolve() },
      beforeSpending: () => Promise.resolve(),
    });
    const { commitment } = member;
    device.socket.send({ type: "secure-ready", roundId: offer.roundId, commitment, certificate });
    return new ScriptedMember({ device, url, encoding, codes }, member);
  }

  /** Takes the offer of a measurement and says ready with a vector. */
  static async measuring(
    url: string,
    device: RoundDevice,
    vector: Float64Array<ArrayBuffer>,
  ): Promise<ScriptedMember> {
    const offer = await device.socket.next("offer-measurement");
    const plan = parseMeasurementPlan(
      new Uint8Array(await (await fetch(`${url}/v1/blobs/${offer.planDigest}`)).arrayBuffer()),
    );
    const secure = plan.secureAggregation!;
    const { identity } = device;
    const { certificate } = identity;
    const member = createMetricMember({
      offer,
      plan: secure,
      population: plan.population,
      verifyMember: createMemberVerifier(),
      metrics: plan.metrics,
      vector,
      identity,
      certificate,
      minimumCohort: 3,
      env: systemEnv({ log: silentLogger }),
      crypto: openNodeSecAggCrypto(),
      log: { requireMembers: () => Promise.resolve() },
      beforeSpending: () => Promise.resolve(),
    });
    const { commitment } = member;
    device.socket.send({ type: "secure-ready", roundId: offer.roundId, commitment, certificate });
    const encoding = planEncoding(secure.encoding);
    return new ScriptedMember({ device, url, encoding, codes: new Uint32Array(0) }, member);
  }

  asked(): Promise<SecureStep> {
    return this.device.socket.next("secure-step");
  }

  async get(request: SecureStep, capability = request.capability): Promise<Response> {
    return fetch(this.url + secureInputPath(request.roundId, request.step, request.member), {
      headers: { authorization: authorization(capability) },
    });
  }

  async make(request: SecureStep): Promise<Uint8Array<ArrayBuffer>> {
    const response = await this.get(request);
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (sha256(bytes) !== request.digest) throw new Error(`${request.step}: other bytes than announced`);
    return this.#member.answer(request.step, bytes);
  }

  async put(
    request: SecureStep,
    body: Uint8Array<ArrayBuffer>,
    more: { readonly capability?: Uint8Array; readonly digest?: Digest } = {},
  ): Promise<Answer> {
    const { roundId, step: name, member } = request;
    const path = secureAnswerPath(roundId, name, member, more.digest ?? sha256(body));
    const response = await fetch(this.url + path, {
      method: "PUT",
      headers: {
        authorization: authorization(more.capability ?? request.capability),
        "content-type": "application/octet-stream",
      },
      body,
    });
    const answer = (await response.json()) as { code?: string };
    return { status: response.status, code: answer.code };
  }

  /** Goes through the steps up to and including `last`. */
  async go(last: SecureStepName): Promise<void> {
    for (;;) {
      const request = await this.asked();
      const answer = await this.put(request, await this.make(request));
      if (answer.status !== 202) throw new Error(`${request.step} of ${request.roundId}: ${answer.code}`);
      if (request.step === last) return;
    }
  }
}

export function authorization(capability: Uint8Array): string {
  return `${CAPABILITY_SCHEME} ${encodeBase64url(capability)}`;
}
