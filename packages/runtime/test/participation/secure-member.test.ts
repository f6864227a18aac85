import {
  asPopulationName,
  asRoundId,
  asTaskName,
  encode,
  encodeHex,
  sha256,
  silentLogger,
  systemClock,
  systemRandom,
} from "@tributary/core";
import { secureEncoding } from "@tributary/federation";
import {
  createMemberVerifier,
  batchRanges,
  encodeMembershipProof,
  foldNodes,
  issueCertificate,
  layoutOfParameters,
  leafHash,
  type LeafRange,
  type LogHead,
  type Offer,
  type SecurePlan,
} from "@tributary/protocol";
import { CohortList } from "@tributary/secagg";
import { openNodeSecAggCrypto } from "@tributary/secagg/node";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { createLogView } from "../../src/participation/log-view.ts";
import { createSecureMember, type SecureMember } from "../../src/participation/secure-member.ts";
import { createMemoryStore } from "../../src/testing/memory-store.ts";

// A real device's half of a secure round, and a coordinator, played by the test, that lies about who the other members are.

type Bytes = Uint8Array<ArrayBuffer>;
const DAY_MS = 86_400_000;
const MEMBERS = 5;

interface Party {
  readonly publicKey: Bytes;
  readonly sign: (message: Bytes) => Promise<Bytes>;
}

async function party(): Promise<Party> {
  const keys = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  return {
    publicKey: new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey)),
    sign: async (message) => new Uint8Array(await crypto.subtle.sign("Ed25519", keys.privateKey, message)),
  };
}

interface Claims {
  readonly by?: Party;
  readonly population?: string;
  readonly fromMs?: number;
  readonly untilMs?: number;
}

let issuer: Party;
let device: Party;
let own: Bytes;
let others: Bytes[];
let log: Bytes[];
let plan: SecurePlan;

async function certify(key: Party, claims: Claims = {}): Promise<Bytes> {
  const { by = issuer, population = "default", fromMs = -1000, untilMs = DAY_MS } = claims;
  return issueCertificate(by.sign, {
    population: asPopulationName(population),
    publicKey: key.publicKey,
    notBeforeMs: Date.now() + fromMs,
    notAfterMs: Date.now() + untilMs,
    serial: systemRandom.bytes(16),
  });
}

beforeAll(async () => {
  issuer = await party();
  device = await party();
  own = await certify(device);
  others = await Promise.all(Array.from({ length: MEMBERS - 1 }, async () => certify(await party())));
  plan = {
    minimumCohort: 3,
    corruption: 0.05,
    dropout: 0.3,
    issuerPublicKey: encodeHex(issuer.publicKey),
    encoding: secureEncoding({
      clients: 10,
      weightCount: 20,
      statisticCount: 0,
      maxExamples: 60,
      maxSteps: 6,
      maxExampleLoss: 100,
      maxUpdateNorm: 10,
      maxStatisticChange: 1,
      valueBits: 16,
      rotationSeed: sha256(Uint8Array.of(1)),
    }) as SecurePlan["encoding"],
  };
});

beforeEach(() => {
  log = [own, ...others];
});

function hashOf({ start, end }: LeafRange): Bytes {
  if (end - start < 2) return foldNodes(log.slice(start, end).map((entry) => leafHash(entry)));
  const middle = start + 2 ** Math.floor(Math.log2(end - start - 1));
  return foldNodes([hashOf({ start, end: middle }), hashOf({ start: middle, end })]);
}

const headOf = (): LogHead => ({
  treeSize: log.length,
  rootHash: encodeHex(hashOf({ start: 0, end: log.length })) as LogHead["rootHash"],
});

async function openMember(): Promise<SecureMember> {
  const offer = {
    task: asTaskName("digits"),
    roundId: asRoundId("digits-1"),
    planDigest: sha256(Uint8Array.of(2)),
    weightsDigest: sha256(Uint8Array.of(3)),
  } as Offer;
  return createSecureMember({
    offer,
    plan,
    population: "default",
    layout: layoutOfParameters([{ name: "weight", shape: [20] }]),
    maxUpdateNorm: 10,
    update: new Float32Array(20).fill(0.1),
    totals: { lossSum: 20, correct: 5, examples: 10, steps: 1 },
    identity: { sign: (message) => device.sign(message) },
    certificate: own,
    verifyMember: createMemberVerifier(),
    log: createLogView({
      settings: createMemoryStore().settings,
      releases: { logHead: headOf, refresh: () => Promise.resolve() },
      http: { logConsistency: () => Promise.reject(new Error("nobody asks")) },
    }),
    minimumCohort: 3,
    crypto: openNodeSecAggCrypto(),
    env: { clock: systemClock, random: systemRandom, log: silentLogger },
    beforeSpending: () => Promise.resolve(),
  });
}

/** What the coordinator gives for the first step: this device, and whoever it says the others are. */
function cohortOf(member: SecureMember, shown: readonly Bytes[]): Bytes {
  const certificates = [own, ...shown];
  const places = certificates.map((certificate) => Math.max(0, log.indexOf(certificate)));
  const ascending = [...new Set(places)].toSorted((a, b) => a - b);
  const hashes = batchRanges(ascending, log.length).map(hashOf);
  return encode(CohortList, {
    members: certificates.map((certificate, i) => ({
      certificate,
      commitment: i === 0 ? Buffer.from(member.commitment, "hex") : systemRandom.bytes(32),
    })),
    membershipProof: encodeMembershipProof({ ...headOf(), indices: places, hashes }),
  });
}

async function codesOf(shown: readonly Bytes[]): Promise<(string | undefined)[]> {
  const member = await openMember();
  const failed = await member.answer("advertise", cohortOf(member, shown)).then(
    () => undefined,
    (error: { code: string; cause?: { code?: string } }) => error,
  );
  expect(member.cohort === undefined).toBe(failed !== undefined);
  member.close();
  return [failed?.code, failed?.cause?.code];
}

test("a cohort of certified members that are in the log is answered", async () => {
  expect(await codesOf(others)).toEqual([undefined, undefined]);
  // The log has others too, and members stand in any order.
  log = [await certify(await party()), ...others.toReversed(), await certify(await party()), own];
  expect(await codesOf(others)).toEqual([undefined, undefined]);
});

test("a member with a genuine certificate that no log has is invented, whoever signed it", async () => {
  const invented = await certify(await party());
  expect(await codesOf(others.with(1, invented))).toEqual(["identity/not-logged", undefined]);
});

test("members of another issuer, another population or another time are refused, in the log or not", async () => {
  const stranger = await party();
  const cases: [Claims, string][] = [
    [{ by: stranger }, "identity/invalid-certificate"],
    [{ population: "other" }, "identity/wrong-population"],
    [{ fromMs: -2 * DAY_MS, untilMs: -DAY_MS }, "identity/certificate-expired"],
    [{ fromMs: DAY_MS, untilMs: 2 * DAY_MS }, "identity/not-yet-valid"],
    [{ untilMs: 8 * DAY_MS }, "identity/invalid-certificate"],
  ];
  for (const [claims, code] of cases) {
    const invented = await certify(await party(), claims);
    log = [own, ...others, invented];
    expect(await codesOf(others.with(1, invented))).toEqual(["secagg/invalid-certificate", code]);
  }
});

test("a device that stands in the list twice, with two certificates of one key, is refused", async () => {
  const again = await certify(device);
  log = [own, ...others, again];
  expect(await codesOf(others.with(1, again))).toEqual(["secagg/invalid-cohort", undefined]);
});
