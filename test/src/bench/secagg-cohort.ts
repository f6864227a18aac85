import { createHash } from "node:crypto";
import {
  asDigest,
  asRoundId,
  asTaskName,
  decode,
  encode,
  sha256,
  systemRandom,
  type Codec,
  type Digest,
} from "@tributary/core";
import {
  CohortList,
  cohortShape,
  encodeContribution,
  KeyList,
  neighbourGraph,
  SecAggClient,
  SecAggServer,
  ShareInbox,
  SignatureList,
  maskCount,
  splitUnmaskWork,
  sumOfMasks,
  toBitmap,
  type Advertisement,
  type CohortAssumptions,
  type EncodingPlan,
  type NeighbourGraph,
  type SecAggCrypto,
  type SessionBinding,
  type UnmaskWork,
} from "@tributary/secagg";
import {
  Advertisement as AdvertisementCodec,
  MaskedInput,
  ShareBundle,
  SHARE_CIPHERTEXT_BYTES,
  SharePair,
  SurvivorSignature,
  UnmaskShares,
} from "../../../packages/secagg/src/messages.ts";
import { createMemberVerifier, type VerifyMember } from "@tributary/protocol";
import { bytesToNumber, encodeElement } from "../../../packages/secagg/src/primitives/field.ts";
import type { AgreementKey } from "../../../packages/secagg/src/primitives/x25519.ts";
import {
  advertisementMessage,
  cohortIdOf,
  commitmentOf,
  graphSeedOf,
  listDigestOf,
  seedCommitmentOf,
  sessionIdOf,
  survivorsMessage,
} from "../../../packages/secagg/src/transcript.ts";
import type { Members, Peer } from "./secagg-members.ts";

export interface CohortCase {
  readonly encoding: EncodingPlan;
  readonly assumptions: CohortAssumptions;
  /** All of them form the cohort. */
  readonly members: Members;
  /** One that has met the members before finds their certificates checked. */
  readonly verify?: VerifyMember;
  /** Share of members lost after they shared. */
  readonly dropout: number;
  /** Expand at most so many masks and scale the time; all of them when absent. */
  readonly maxMasks?: number;
  /** Expands masks; in this thread when absent. */
  readonly unmask?: (work: UnmaskWork) => Promise<Uint32Array>;
  /** Called when the server holds the most: after folding and after unmasking. */
  readonly onServerMemory?: () => void;
}

export interface CohortTimes {
  readonly client: { readonly [Step in ClientStep]: number };
  readonly server: { readonly [Step in ServerStep]: number };
  readonly masks: number;
  /** Of `masks`, how many were expanded; the rest of the unmasking's time is scaled. */
  readonly masksMeasured: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly degree: number;
}

type ClientStep = "encode" | "advertise" | "shareKeys" | "maskInput" | "signSurvivors" | "unmask";
type ServerStep = "keys" | "shares" | "fold" | "signatures" | "reconstruct" | "unmask";

/**
 * One real client and the real server in a cohort whose other members do only what these two can see: a session of
 * a thousand real members would take minutes of the members' own time. Peers share a constant polynomial, which
 * costs the server what any other does.
 */
export async function measureCohort(crypto: SecAggCrypto, options: CohortCase): Promise<CohortTimes> {
  const { encoding, assumptions, dropout } = options;
  const binding: SessionBinding = {
    task: asTaskName("bench"),
    round: asRoundId("bench-1"),
    plan: sha256(Uint8Array.of(1)),
    baseWeights: sha256(Uint8Array.of(2)),
    encoding: encoding.digest,
  };
  const { membershipProof, requireLogged, peers } = options.members;
  const clients = peers.length;
  const verifyCertificate = options.members.identify(options.verify ?? createMemberVerifier());
  const client = timed<ClientStep>();
  const server = timed<ServerStep>();
  const self = 0;
  const measured = new SecAggClient({
    binding,
    encoding,
    assumptions,
    certificate: peers[self]!.certificate,
    sign: (message) => peers[self]!.sign(new Uint8Array(message)),
    verifyCertificate,
    random: systemRandom,
    crypto,
  });

  const members = peers.map(({ certificate, nonce }, i) => ({
    certificate,
    commitment: i === self ? measured.commitment : commitmentOf(nonce),
  }));
  const coordinator = await SecAggServer.open({
    binding,
    encoding,
    assumptions,
    minimumCohort: 16,
    members,
    membershipProof,
    verifyCertificate: options.members.identify(createMemberVerifier()),
    crypto,
  });
  const listDigest = listDigestOf(coordinator.cohort);
  const cohortId = cohortIdOf(binding, listDigest);
  const encryptionKeys: AgreementKey[] = [];
  const own = await client.time("advertise", () => {
    requireLogged();
    return measured.advertise(coordinator.cohort);
  });
  const advertisements: Advertisement[] = [own];
  for (let member = 1; member < clients; member++) {
    const encryptionKey = await crypto.x25519.importSecret(systemRandom.bytes(32));
    encryptionKeys[member] = encryptionKey;
    const unsigned = {
      member,
      nonce: peers[member]!.nonce,
      encryptionKey: encryptionKey.publicKey,
      maskKey: (await crypto.x25519.importSecret(peers[member]!.maskSecret)).publicKey,
    };
    const signature = await peers[member]!.sign(advertisementMessage(cohortId, unsigned));
    advertisements.push({ ...unsigned, signature });
  }
  const keys = await server.time("keys", async () => {
    await Promise.all(
      advertisements.map((message) =>
        coordinator.acceptAdvertisement(message, digestOf(AdvertisementCodec, message)),
      ),
    );
    return coordinator.closeAdvertise();
  });
  const sessionId = sessionIdOf(cohortId, keys);
  const shape = cohortShape(clients, assumptions);
  const graph = neighbourGraph(shape, graphSeedOf(listDigest, advertisements));

  const bundle = await client.time("shareKeys", () => measured.shareKeys(keys));
  for (const [member, peer] of peers.entries()) {
    const message = member === self ? bundle : peerBundle(peer, member, graph, sessionId);
    await server.time("shares", async () =>
      coordinator.acceptShares(message, digestOf(ShareBundle, message)),
    );
  }
  await server.time("shares", async () => {
    coordinator.closeShares();
    for (let member = 0; member < clients; member++) coordinator.inboxOf(member);
  });
  /** What the measured client gave its neighbours, by holder. */
  const given = new Map<number, SharePair>();
  const inbox = {
    sharers: toBitmap(peers.keys(), clients),
    shares: await Promise.all(
      bundle.shares.map(async ({ to: from, ciphertext }) => {
        const secret = await encryptionKeys[from]!.agree(own.encryptionKey);
        const cipher = await crypto.openShareCipher(secret, { sessionId, self: from, peer: self });
        given.set(from, decode(SharePair, await cipher.open(ciphertext)));
        const { maskSecret, seed } = peers[from]!;
        const pair = { from, to: self, keyShare: elementOf(maskSecret), seedShare: elementOf(seed) };
        return { from, ciphertext: await cipher.seal(encode(SharePair, pair)) };
      }),
    ),
  };
  const { vector } = await client.time("encode", async () =>
    encodeContribution(
      encoding,
      {
        weight: 1,
        values: encoding.segments.map(({ segment, count }) =>
          new Float64Array(count).fill(segment.codec === "update" ? 0.25 : 1),
        ),
      },
      systemRandom,
    ),
  );
  const masked = await client.time("maskInput", () => measured.maskInput(inbox, vector));

  const lost = Math.floor(clients * dropout);
  const survivors = peers.map((_, member) => member).filter((member) => member < clients - lost);
  await server.time("fold", async () => {
    for (const member of survivors)
      coordinator.acceptMaskedInput({ ...masked, member }, sha256(Uint8Array.of(member & 255, member >> 8)));
  });
  options.onServerMemory?.();
  const lists = coordinator.closeMaskedInput();
  const signature = await client.time("signSurvivors", () => measured.signSurvivors(lists));
  const message = survivorsMessage(sessionId, lists.survivors);
  const signatures = await Promise.all(
    survivors.map(async (member) =>
      member === self ? signature : { sessionId, member, signature: await peers[member]!.sign(message) },
    ),
  );
  const signatureList = await server.time("signatures", async () => {
    await Promise.all(
      signatures.map((one) => coordinator.acceptSignature(one, digestOf(SurvivorSignature, one))),
    );
    return coordinator.closeConsistency();
  });
  const answer = await client.time("unmask", () => measured.unmask(signatureList));

  const alive = new Set(survivors);
  const answers = survivors.map((member) => {
    if (member === self) return answer;
    const held = graph.holdersOf(member);
    const shareOf = (of: number, part: "seedShare" | "keyShare") => ({
      of,
      share:
        of === self
          ? given.get(member)![part]
          : elementOf(part === "seedShare" ? peers[of]!.seed : peers[of]!.maskSecret),
    });
    return {
      sessionId,
      member,
      seedShares: held.filter((of) => alive.has(of)).map((of) => shareOf(of, "seedShare")),
      keyShares: held.filter((of) => !alive.has(of)).map((of) => shareOf(of, "keyShare")),
    };
  });
  const work = await server.time("reconstruct", async () => {
    for (const one of answers) coordinator.acceptUnmaskShares(one, digestOf(UnmaskShares, one));
    return coordinator.closeUnmask();
  });
  const masks = maskCount(work);
  // The parts are equal: the first of enough of them holds at most as many masks as are wanted.
  const parts = Math.max(1, Math.ceil(masks / (options.maxMasks ?? masks)));
  const part = splitUnmaskWork(work, parts)[0]!;
  const masksMeasured = maskCount(part);
  const sums = await server.time("unmask", () => options.unmask?.(part) ?? sumOfMasks(crypto, part));
  coordinator.finish([sums]);
  options.onServerMemory?.();
  const serverTimes = server.times();
  return {
    client: client.times(),
    server: { ...serverTimes, unmask: (serverTimes.unmask * masks) / masksMeasured },
    masks,
    masksMeasured,
    degree: shape.degree,
    bytesUp:
      encode(AdvertisementCodec, own).length +
      encode(ShareBundle, bundle).length +
      encode(MaskedInput, masked).length +
      encode(SurvivorSignature, signature).length +
      encode(UnmaskShares, answer).length,
    bytesDown:
      encode(CohortList, coordinator.cohort).length +
      encode(KeyList, keys).length +
      encode(ShareInbox, inbox).length +
      lists.survivors.length +
      lists.dropouts.length +
      encode(SignatureList, signatureList).length,
  };
}

function peerBundle(peer: Peer, member: number, graph: NeighbourGraph, sessionId: Uint8Array): ShareBundle {
  return {
    sessionId,
    member,
    seedCommitment: seedCommitmentOf(sessionId, member, peer.seed),
    shares: graph
      .neighboursOf(member)
      .map((to) => ({ to, ciphertext: systemRandom.bytes(SHARE_CIPHERTEXT_BYTES) })),
  };
}

function elementOf(secret: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodeElement(bytesToNumber(secret));
}

/** As a transport takes it from the bytes that arrive. */
function digestOf<T>(codec: Codec<T>, message: T): Digest {
  return asDigest(createHash("sha256").update(encode(codec, message)).digest("hex"));
}

/** Adds up wall-clock time by name. */
function timed<Name extends string>() {
  const spent: Partial<Record<Name, number>> = {};
  return {
    async time<T>(name: Name, run: () => Promise<T>): Promise<T> {
      const from = performance.now();
      const result = await run();
      spent[name] = (spent[name] ?? 0) + performance.now() - from;
      return result;
    },
    times: () => spent as Record<Name, number>,
  };
}
