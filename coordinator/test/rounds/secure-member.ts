import {
  decode,
  decodeHex,
  encode,
  encodeBase64url,
  encodeHex,
  sha256,
  systemRandom,
  type Codec,
  type Digest,
} from "@tributary/core";
import { toSecureSegments } from "@tributary/federation";
import {
  CAPABILITY_SCHEME,
  parsePlan,
  secureAnswerPath,
  secureInputPath,
  verifyMember,
  type Offer,
  type SecureStep,
  type SecureStepName,
} from "@tributary/protocol";
import {
  Advertisement,
  CohortList,
  encodeContribution,
  KeyList,
  MaskedInput,
  openSecAggCrypto,
  planEncoding,
  SecAggClient,
  ShareBundle,
  ShareInbox,
  SignatureList,
  SpendableVector,
  Survivors,
  SurvivorSignature,
  UnmaskShares,
  type EncodingPlan,
} from "@tributary/secagg";
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

/** A scripted member of a secure cohort: real socket, real HTTP, every step when the test says so. */
export class ScriptedMember {
  readonly device: RoundDevice;
  readonly url: string;
  readonly encoding: EncodingPlan;
  /** Its codes, before they are masked. */
  readonly codes: Uint32Array;
  readonly #offer: Offer;
  readonly #steps: {
    readonly [Step in SecureStepName]: (bytes: Uint8Array) => Promise<Uint8Array<ArrayBuffer>>;
  };
  readonly #commitment: Digest;

  private constructor(
    more: Pick<ScriptedMember, "device" | "url" | "encoding" | "codes">,
    offer: Offer,
    client: SecAggClient,
    vector: SpendableVector,
  ) {
    this.device = more.device;
    this.url = more.url;
    this.encoding = more.encoding;
    this.codes = more.codes;
    this.#offer = offer;
    this.#commitment = encodeHex(client.commitment) as Digest;
    this.#steps = {
      advertise: step(CohortList, Advertisement, (list) => client.advertise(list)),
      share: step(KeyList, ShareBundle, (keys) => client.shareKeys(keys)),
      mask: step(ShareInbox, MaskedInput, (inbox) => client.maskInput(inbox, vector)),
      sign: step(Survivors, SurvivorSignature, (survivors) => client.signSurvivors(survivors)),
      unmask: step(SignatureList, UnmaskShares, (signatures) => client.unmask(signatures)),
    };
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
    const { vector } = encodeContribution(
      encoding,
      { weight: examples, values: toSecureSegments(update, update.length, totals) },
      systemRandom,
    );
    const codes = vector.spend();
    const { identity } = device;
    const client = new SecAggClient({
      binding: {
        task: offer.task,
        round: offer.roundId,
        plan: offer.planDigest,
        baseWeights: offer.weightsDigest,
        encoding: encoding.digest,
      },
      encoding,
      assumptions: { corruption: secure.corruption, dropout: secure.dropout, adversary: "curious" },
      minimumCohort: 3,
      certificate: identity.certificate,
      sign: (message) => identity.sign(new Uint8Array(message)),
      verifyCertificate: (certificate) =>
        verifyMember(certificate, {
          issuerPublicKey: decodeHex(secure.issuerPublicKey),
          population: plan.population,
          nowMs: Date.now(),
        }),
      random: systemRandom,
      crypto: await openSecAggCrypto(),
    });
    const more = { device, url, encoding, codes: codes.slice() };
    const member = new ScriptedMember(more, offer, client, new SpendableVector(codes));
    device.socket.send({
      type: "secure-ready",
      roundId: offer.roundId,
      commitment: member.#commitment,
      certificate: identity.certificate,
    });
    return member;
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
    return this.#steps[request.step](bytes);
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
    const answer = (await response.json()) as { error?: { code: string } };
    return { status: response.status, code: answer.error?.code };
  }

  /** Goes through the steps up to and including `last`. */
  async go(last: SecureStepName): Promise<void> {
    for (;;) {
      const request = await this.asked();
      const answer = await this.put(request, await this.make(request));
      if (answer.status !== 202) throw new Error(`${request.step} of ${this.#offer.roundId}: ${answer.code}`);
      if (request.step === last) return;
    }
  }
}

export function authorization(capability: Uint8Array): string {
  return `${CAPABILITY_SCHEME} ${encodeBase64url(capability)}`;
}

function step<Input, Output>(
  input: Codec<Input>,
  output: Codec<Output>,
  run: (input: Input) => Promise<Output>,
): (bytes: Uint8Array) => Promise<Uint8Array<ArrayBuffer>> {
  return async (bytes) => encode(output, await run(decode(input, bytes)));
}
