import { encode, failure } from "@tributary/core";
import { packVector } from "../encoding/packing.ts";
import { reduceToRing } from "../encoding/ring.ts";
import type { SpendableVector } from "../encoding/spendable-vector.ts";
import {
  SharePair,
  type Advertisement,
  type CohortList,
  type KeyList,
  type MaskedInput,
  type ShareBundle,
  type ShareInbox,
  type SignatureList,
  type Survivors,
  type SurvivorSignature,
  type UnmaskShares,
} from "../messages.ts";
import { bytesToNumber, encodeElement } from "../primitives/field.ts";
import { addMasks, pairMaskKey, pairSign, selfMaskKey, type Mask } from "../primitives/mask.ts";
import { Secret } from "../primitives/secret.ts";
import { splitSecret } from "../primitives/shamir.ts";
import { advertisementMessage, seedCommitmentOf, survivorsMessage } from "../transcript.ts";
import { checkCohort } from "./check-cohort.ts";
import { openInbox } from "./check-inbox.ts";
import { checkKeys } from "./check-keys.ts";
import { checkSignatures, checkSurvivors } from "./check-survivors.ts";
import type { SecAggClientOptions } from "./options.ts";
import type { ClientStage } from "./stages.ts";

type Stage<T extends ClientStage["type"]> = Extract<ClientStage, { type: T }>;
type Step<To extends ClientStage["type"], Message> = Promise<{
  readonly next: Stage<To>;
  readonly message: Message;
}>;

/** AdvertiseKeys, round 0 of Bonawitz et al. 2017: two fresh key pairs, signed by the identity key. */
export async function advertise(
  options: SecAggClientOptions,
  stage: Stage<"committed">,
  list: CohortList,
): Step<"advertised", Advertisement> {
  const { crypto, random, sign } = options;
  const cohort = await checkCohort(options, stage.nonce, list);
  const encryptionSecret = random.bytes(32);
  const maskSecret = random.bytes(32);
  const encryptionKey = await crypto.x25519.importSecret(encryptionSecret);
  encryptionSecret.fill(0);
  const maskKey = await crypto.x25519.importSecret(maskSecret);
  const unsigned = {
    member: cohort.self,
    nonce: stage.nonce,
    encryptionKey: encryptionKey.publicKey,
    maskKey: maskKey.publicKey,
  };
  const signature = await sign(advertisementMessage(cohort.cohortId, unsigned));
  const own = { ...unsigned, signature };
  return {
    next: {
      type: "advertised",
      cohort,
      own,
      encryptionKey,
      maskKey,
      maskSecret: new Secret("mask key", maskSecret),
    },
    message: own,
  };
}

/** ShareKeys, round 1: t-of-n shares of the mask key and of a fresh seed, encrypted for each holder. */
export async function shareKeys(
  { crypto, random }: SecAggClientOptions,
  stage: Stage<"advertised">,
  list: KeyList,
): Step<"shared", ShareBundle> {
  const session = await checkKeys(stage.cohort, stage.own, list);
  const { sessionId, holders, neighbours, keys } = session;
  const { self, shape } = stage.cohort;
  const ciphers = new Map(
    await Promise.all(
      neighbours.map(async (peer) => {
        const secret = await stage.encryptionKey.agree(keys.get(peer)!.encryptionKey);
        return [peer, await crypto.openShareCipher(secret, { sessionId, self, peer })] as const;
      }),
    ),
  );
  const maskSecret = stage.maskSecret.take();
  const seed = random.bytes(32);
  const sharing = {
    threshold: shape.shareThreshold,
    abscissas: holders.map((holder) => holder + 1),
    random,
  };
  const keyShares = splitSecret(bytesToNumber(maskSecret), sharing);
  maskSecret.fill(0);
  const seedShares = splitSecret(bytesToNumber(seed), sharing);
  const pairs = holders.map((to, i) => ({
    from: self,
    to,
    keyShare: encodeElement(keyShares[i]!),
    seedShare: encodeElement(seedShares[i]!),
  }));
  const shares = await Promise.all(
    pairs
      .filter(({ to }) => to !== self)
      .map(async (pair) => {
        const plaintext = encode(SharePair, pair);
        const ciphertext = await ciphers.get(pair.to)!.seal(plaintext);
        for (const bytes of [plaintext, pair.keyShare, pair.seedShare]) bytes.fill(0);
        return { to: pair.to, ciphertext };
      }),
  );
  return {
    message: { sessionId, member: self, seedCommitment: seedCommitmentOf(sessionId, self, seed), shares },
    next: {
      type: "shared",
      session,
      ciphers,
      maskKey: stage.maskKey,
      seed: new Secret("self mask seed", seed),
      ownPair: pairs.find(({ to }) => to === self),
    },
  };
}

/** MaskedInputCollection, round 2: y = x + PRG(b_u) +- PRG(s_uv) over the neighbours that shared. */
export async function maskInput(
  { crypto, encoding }: SecAggClientOptions,
  stage: Stage<"shared">,
  inbox: ShareInbox,
  update: SpendableVector,
): Step<"masked", MaskedInput> {
  if (update.length !== encoding.vectorLength) {
    throw new RangeError(`secagg: ${encoding.vectorLength} codes expected, got ${update.length}`);
  }
  const { session, ownPair } = stage;
  const { sessionId, cohort, keys } = session;
  const { self } = cohort;
  const held = await openInbox(session, stage.ciphers, inbox);
  const peers = [...held.pairs.keys()];
  const pairMasks = await Promise.all(
    peers.map(async (peer): Promise<Mask> => {
      const secret = await stage.maskKey.agree(keys.get(peer)!.maskKey);
      const key = await pairMaskKey(crypto.masks, secret, sessionId, [self, peer]);
      return { key, sign: pairSign(self, peer) };
    }),
  );
  const selfMask: Mask = {
    key: await selfMaskKey(crypto.masks, stage.seed.take(), sessionId, self),
    sign: 1,
  };
  // Everything that can refuse has been asked: from here on the update counts as sent.
  const vector = update.spend();
  try {
    await addMasks(vector, [selfMask, ...pairMasks], encoding.layout);
    reduceToRing(vector, encoding.segments);
    const pairs = ownPair === undefined ? held.pairs : new Map([...held.pairs, [self, ownPair]]);
    return {
      message: { sessionId, member: self, vector: packVector(vector, encoding.segments) },
      next: { type: "masked", session, held: { sharers: held.sharers, pairs } },
    };
  } finally {
    vector.fill(0);
  }
}

/** ConsistencyCheck, round 3: signs, once, the set of survivors over the whole cohort. */
export async function signSurvivors(
  { sign }: SecAggClientOptions,
  { session, held }: Stage<"masked">,
  survivors: Survivors,
): Step<"signed", SurvivorSignature> {
  const checked = checkSurvivors(session, held.sharers, survivors);
  const { sessionId, cohort } = session;
  const message = survivorsMessage(sessionId, survivors.survivors);
  const signature = await sign(message);
  return {
    message: { sessionId, member: cohort.self, signature },
    next: { type: "signed", session, held, checked, message },
  };
}

/** Unmasking, round 4: of each member either the seed's share or the key's, never both, and one answer. */
export async function unmask(
  { session, held, checked, message }: Stage<"signed">,
  signatures: SignatureList,
): Step<"done", UnmaskShares> {
  await checkSignatures(session, checked.survivors, message, signatures);
  const members = [...held.pairs.keys()].toSorted((a, b) => a - b);
  const reveal = (of: number, part: "keyShare" | "seedShare") => ({
    of,
    share: new Uint8Array(held.pairs.get(of)![part]),
  });
  return {
    message: {
      sessionId: session.sessionId,
      member: session.cohort.self,
      seedShares: members.filter((of) => checked.survivors.has(of)).map((of) => reveal(of, "seedShare")),
      keyShares: members.filter((of) => checked.dropouts.has(of)).map((of) => reveal(of, "keyShare")),
    },
    next: { type: "done" },
  };
}

/** @throws TributaryError `secagg/out-of-order`. */
export function outOfOrder(step: string, stage: string): Error {
  return failure(
    "secagg/out-of-order",
    `secagg: ${step} is not possible in stage ${stage}; the session is over`,
    {
      detail: { step, stage },
    },
  );
}
