import { asRoundId, asTaskName, sha256, systemRandom, type SecureRandom } from "@tributary/core";
import {
  encodeContribution,
  openSecAggCrypto,
  planEncoding,
  SecAggClient,
  SecAggServer,
  splitUnmaskWork,
  sumOfMasks,
  type CohortAssumptions,
  type CohortSum,
  type EncodingPlan,
  type KeyList,
  type MaskedInput,
  type SecAggCrypto,
  type SessionBinding,
  type SignatureList,
  SpendableVector,
  type Survivors,
} from "../../src/index.ts";
import { testIssuer, type TestIdentity } from "./identities.ts";
import { accept } from "./accept.ts";

/** That of Node, or of the browser that this runs in. */
export const crypto: SecAggCrypto =
  "document" in globalThis
    ? await openSecAggCrypto()
    : (await import("../../src/node.ts")).openNodeSecAggCrypto();
export const ISSUER = await testIssuer();
const POOL: TestIdentity[] = [];

/** Identities are made once: a test's members are the first of the pool. */
export async function identities(count: number): Promise<TestIdentity[]> {
  while (POOL.length < count) POOL.push(await ISSUER.issue());
  return POOL.slice(0, count);
}

export const ASSUMPTIONS: CohortAssumptions = { corruption: 0.1, dropout: 0.3, adversary: "curious" };

/** Four segments, one of each codec. */
export function smallPlan(clients: number, parameters = 10): EncodingPlan {
  return planEncoding({
    clients,
    maxWeight: 10,
    rotationSeed: "round-1",
    segments: [
      { codec: "update", name: "update", count: parameters, bits: 12, bound: 2, rotationBlock: 8 },
      { codec: "state", name: "state", count: 2, bits: 8, bound: 4 },
      { codec: "counts", name: "counts", count: 3, maximum: 1000 },
      { codec: "reals", name: "loss", count: 1, bits: 16, minimum: 0, maximum: 100 },
    ],
  });
}

export function bindingOf(encoding: EncodingPlan, overrides: Partial<SessionBinding> = {}): SessionBinding {
  return {
    task: asTaskName("digits"),
    round: asRoundId("digits-00000001"),
    plan: sha256(Uint8Array.of(1)),
    baseWeights: sha256(Uint8Array.of(2)),
    encoding: encoding.digest,
    ...overrides,
  };
}

/** The stages at which members may be lost, by their numbers. */
export interface Dropouts {
  readonly advertise?: readonly number[];
  readonly shareKeys?: readonly number[];
  readonly maskedInput?: readonly number[];
  readonly consistency?: readonly number[];
  readonly unmask?: readonly number[];
}

export interface CohortOptions {
  readonly clients: number;
  readonly encoding?: EncodingPlan;
  readonly assumptions?: CohortAssumptions;
  readonly minimumCohort?: number;
  readonly random?: SecureRandom;
  /** The platform of each member, where it is another than the server's. */
  readonly cryptoFor?: (member: number) => SecAggCrypto;
  /** Another binding for some members: a server that serves them something else. */
  readonly bindingFor?: (member: number) => Partial<SessionBinding>;
}

/** A real server and real clients, whose messages a test can hand over, hold back or forge. */
export class TestCohort {
  readonly encoding: EncodingPlan;
  readonly clients: readonly SecAggClient[];
  readonly updates: SpendableVector[];
  readonly codes: readonly Uint32Array[];
  readonly identities: readonly TestIdentity[];
  readonly server: SecAggServer;

  private constructor(parts: {
    encoding: EncodingPlan;
    clients: readonly SecAggClient[];
    updates: SpendableVector[];
    codes: readonly Uint32Array[];
    identities: readonly TestIdentity[];
    server: SecAggServer;
  }) {
    this.encoding = parts.encoding;
    this.clients = parts.clients;
    this.updates = parts.updates;
    this.codes = parts.codes;
    this.identities = parts.identities;
    this.server = parts.server;
  }

  static async open(options: CohortOptions): Promise<TestCohort> {
    const { clients: count, assumptions = ASSUMPTIONS, minimumCohort = 3, random = systemRandom } = options;
    const { cryptoFor = () => crypto } = options;
    const encoding = options.encoding ?? smallPlan(Math.max(count, 2));
    const { verifyCertificate } = ISSUER;
    const own = await identities(count);
    const clients = own.map(
      ({ certificate, sign }, member) =>
        new SecAggClient({
          binding: bindingOf(encoding, options.bindingFor?.(member)),
          encoding,
          assumptions,
          minimumCohort,
          certificate,
          sign,
          verifyCertificate,
          random,
          crypto: cryptoFor(member),
        }),
    );
    const encoded = own.map((_, member) => contribution(encoding, member, random));
    const server = await SecAggServer.open({
      binding: bindingOf(encoding),
      encoding,
      assumptions,
      minimumCohort,
      members: own.map(({ certificate }, i) => ({ certificate, commitment: clients[i]!.commitment })),
      verifyCertificate,
      crypto,
    });
    return new TestCohort({
      encoding,
      clients,
      identities: own,
      server,
      updates: encoded.map(({ vector }) => vector),
      codes: encoded.map(({ codes }) => codes),
    });
  }

  /** Member numbers without those that are lost. */
  members(lost: Iterable<number> = []): number[] {
    const gone = new Set(lost);
    return this.clients.map((_, member) => member).filter((member) => !gone.has(member));
  }

  async advertise(members: readonly number[]): Promise<KeyList> {
    for (const member of members) {
      await accept.advertisement(this.server, await this.clients[member]!.advertise(this.server.cohort));
    }
    return this.server.closeAdvertise();
  }

  async shareKeys(members: readonly number[], keys: KeyList): Promise<void> {
    for (const member of members) accept.shares(this.server, await this.clients[member]!.shareKeys(keys));
    this.server.closeShares();
  }

  async masked(member: number): Promise<MaskedInput> {
    return this.clients[member]!.maskInput(this.server.inboxOf(member), this.updates[member]!);
  }

  async maskInputs(members: readonly number[]): Promise<Survivors> {
    for (const member of members) {
      accept.maskedInput(this.server, await this.masked(member));
    }
    return this.server.closeMaskedInput();
  }

  async sign(members: readonly number[], survivors: Survivors): Promise<SignatureList> {
    for (const member of members)
      await accept.signature(this.server, await this.clients[member]!.signSurvivors(survivors));
    return this.server.closeConsistency();
  }

  async unmask(members: readonly number[], signatures: SignatureList): Promise<CohortSum> {
    for (const member of members)
      accept.unmaskShares(this.server, await this.clients[member]!.unmask(signatures));
    return this.finish();
  }

  async finish(): Promise<CohortSum> {
    const parts = splitUnmaskWork(await this.server.closeUnmask(), 2);
    return this.server.finish(await Promise.all(parts.map((part) => sumOfMasks(crypto, part))));
  }

  /** A whole session. */
  async run(dropouts: Dropouts = {}): Promise<CohortSum> {
    let left = this.members(dropouts.advertise);
    const without = (lost: readonly number[] = []) => left.filter((member) => !lost.includes(member));
    const keys = await this.advertise(left);
    left = without(dropouts.shareKeys);
    await this.shareKeys(left, keys);
    left = without(dropouts.maskedInput);
    const survivors = await this.maskInputs(left);
    left = without(dropouts.consistency);
    const signatures = await this.sign(left, survivors);
    left = without(dropouts.unmask);
    return this.unmask(left, signatures);
  }

  /** The sum that must come out. */
  expected(members: readonly number[]): Uint32Array {
    const sum = new Uint32Array(this.encoding.vectorLength);
    for (const member of members) {
      for (const [i, code] of this.codes[member]!.entries()) sum[i] = sum[i]! + code;
    }
    return sum;
  }
}

function contribution(encoding: EncodingPlan, member: number, random: SecureRandom) {
  const values = encoding.segments.map(({ segment, count }) =>
    Array.from({ length: count }, (_, i) =>
      segment.codec === "counts" ? (7 * member + i) % (segment.maximum + 1) : Math.sin(member + i) ** 2,
    ),
  );
  const spent = encodeContribution(encoding, { weight: 1 + (member % 10), values }, random).vector.spend();
  const codes = spent.slice();
  return { codes, vector: new SpendableVector(spent) };
}
