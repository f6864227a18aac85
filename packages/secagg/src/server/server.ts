import { equalBytes, failure, type Digest } from "@tributary/core";
import { toBitmap } from "../bitmap.ts";
import { neighbourGraph, type NeighbourGraph } from "../graph/neighbour-graph.ts";
import { cohortShape, type CohortShape } from "../graph/thresholds.ts";
import { verifyMembers, type VerifiedIdentity } from "../identity.ts";
import { requireCount } from "../member-lists.ts";
import type {
  Advertisement,
  CohortList,
  KeyList,
  MaskedInput,
  ShareBundle,
  ShareInbox,
  SignatureList,
  SurvivorSignature,
  Survivors,
  UnmaskShares,
} from "../messages.ts";
import { hasSmallOrder } from "../primitives/small-order.ts";
import {
  cohortIdOf,
  commitmentOf,
  graphSeedOf,
  listDigestOf,
  seedCommitmentOf,
  sessionIdOf,
  survivorsMessage,
} from "../transcript.ts";
import { verifyAdvertisement } from "../verify-advertisement.ts";
import { MaskedSum } from "./masked-sum.ts";
import type { Acceptance, CohortSum, SecAggServerOptions, ServerStage } from "./options.ts";
import { Reconstructor } from "./reconstruct.ts";
import { RevealedShares } from "./revealed-shares.ts";
import { ShareStore } from "./share-store.ts";
import type { UnmaskItem, UnmaskWork } from "./unmask-work.ts";

/**
 * The coordinator's side of one session, without transport and clock: the driver hands in messages, closes stages,
 * runs the unmasking and sends what comes out. A refused message leaves everything as it was. Each comes with the
 * digest of its bytes: the same again counts once, another one of the same member is refused.
 */
export class SecAggServer {
  /** What every member gets first. */
  readonly cohort: CohortList;
  readonly shape: CohortShape;
  readonly #options: SecAggServerOptions;
  readonly #identities: readonly VerifiedIdentity[];
  readonly #listDigest: Uint8Array;
  readonly #cohortId: Uint8Array;
  /** The fewest members of any stage. */
  readonly #least: number;
  #stage: ServerStage = "advertise";

  readonly #accepted = new Map<string, Digest>();
  readonly #keys = new Map<number, Advertisement>();
  readonly #knownKeys = new Set<string>();
  #session: { readonly id: Uint8Array; readonly graph: NeighbourGraph } | undefined;
  readonly #shares = new ShareStore();
  readonly #masked: MaskedSum;
  #survivors: ReadonlySet<number> = new Set();
  #survivorsMessage: Uint8Array = new Uint8Array(0);
  readonly #signatures = new Map<number, Uint8Array>();
  readonly #revealed = new RevealedShares();
  readonly #reconstructor: Reconstructor;

  private constructor(options: SecAggServerOptions, identities: readonly VerifiedIdentity[]) {
    this.#options = options;
    this.#identities = identities;
    const { members, membershipProof = new Uint8Array(0) } = options;
    this.cohort = { members, membershipProof };
    this.shape = cohortShape(options.members.length, options.assumptions);
    this.#least = Math.max(options.minimumCohort, this.shape.signatureThreshold);
    this.#listDigest = listDigestOf(this.cohort);
    this.#cohortId = cohortIdOf(options.binding, this.#listDigest);
    this.#masked = new MaskedSum(options.encoding);
    this.#reconstructor = new Reconstructor(this.shape.shareThreshold);
  }

  /**
   * Fixes the cohort.
   *
   * @throws TributaryError `secagg/cohort-too-small`, or what is wrong with a member, whose number is in the detail.
   */
  static async open(options: SecAggServerOptions): Promise<SecAggServer> {
    const { members, minimumCohort, encoding } = options;
    if (members.length < minimumCohort || members.length > encoding.spec.clients) {
      throw failure(
        "secagg/cohort-too-small",
        `secagg: ${minimumCohort} to ${encoding.spec.clients} members are needed, got ${members.length}`,
        { detail: { needed: minimumCohort, got: members.length } },
      );
    }
    return new SecAggServer(options, await verifyMembers(members, options.verifyCertificate));
  }

  get stage(): ServerStage {
    return this.#stage;
  }

  /** Whether a masked vector of the member would be taken: ask before reading its body. */
  get acceptsMaskedInput(): boolean {
    return this.#stage === "maskedInput";
  }

  /** Round 0. */
  async acceptAdvertisement(message: Advertisement, digest: Digest): Promise<Acceptance> {
    const { member, nonce } = message;
    this.#requireStage("advertise");
    this.#requireMember(member, member < this.shape.clients);
    if (this.#isRepeated(member, digest)) return "repeated";
    if (!equalBytes(commitmentOf(nonce), this.cohort.members[member]!.commitment)) {
      throw failure("secagg/commitment-mismatch", `secagg: member ${member} committed to another nonce`, {
        detail: { member },
      });
    }
    this.#requireSafeKeys(message);
    await verifyAdvertisement({ cohortId: this.#cohortId, identities: this.#identities }, message);
    // While the signature was verified the stage may have been closed, or another message of the member accepted.
    this.#requireStage("advertise");
    if (this.#isRepeated(member, digest)) return "repeated";
    this.#requireFreshKeys(message);
    this.#record(member, digest);
    this.#keys.set(member, message);
    return "accepted";
  }

  /** U1, for every member of it. */
  closeAdvertise(): KeyList {
    this.#requireStage("advertise");
    requireCount(this.#keys.size, this.#least, "members with keys");
    const advertisements = [...this.#keys.values()].toSorted((a, b) => a.member - b.member);
    const list = { advertisements };
    this.#session = {
      id: sessionIdOf(this.#cohortId, list),
      graph: neighbourGraph(this.shape, graphSeedOf(this.#listDigest, advertisements)),
    };
    this.#stage = "shareKeys";
    return list;
  }

  /** Round 1. */
  acceptShares(message: ShareBundle, digest: Digest): Acceptance {
    const { member } = message;
    this.#requireStage("shareKeys");
    this.#requireSession(message);
    this.#requireMember(member, this.#keys.has(member));
    if (this.#isRepeated(member, digest)) return "repeated";
    this.#shares.add(message, this.#neighbours(member, this.#keys));
    this.#record(member, digest);
    return "accepted";
  }

  /** U2. Each of its members gets its own inbox. */
  closeShares(): readonly number[] {
    this.#requireStage("shareKeys");
    const { givers } = this.#shares;
    requireCount(givers.size, this.#least, "members that shared");
    this.#stage = "maskedInput";
    return ascending(givers.keys());
  }

  inboxOf(member: number): ShareInbox {
    this.#requireStage("maskedInput");
    const { givers } = this.#shares;
    this.#requireMember(member, givers.has(member));
    return {
      sharers: toBitmap(givers.keys(), this.shape.clients),
      shares: this.#shares.sharesFor(member, this.#neighbours(member, givers)),
    };
  }

  /** Round 2: folds a masked vector into the sum. */
  acceptMaskedInput(message: MaskedInput, digest: Digest): Acceptance {
    const { member, vector } = message;
    this.#requireStage("maskedInput");
    this.#requireSession(message);
    this.#requireMember(member, this.#shares.givers.has(member));
    return this.#masked.fold(member, vector, digest) === "folded" ? "accepted" : "repeated";
  }

  /** U3 and U2 \ U3; from here on no masked vector is taken. */
  closeMaskedInput(): Survivors {
    this.#requireStage("maskedInput");
    const { members } = this.#masked;
    requireCount(members.length, this.#least, "survivors");
    this.#survivors = new Set(members);
    const { clients } = this.shape;
    const survivors = toBitmap(members, clients);
    this.#survivorsMessage = survivorsMessage(this.#sessionId, survivors);
    this.#stage = "consistency";
    return { survivors, dropouts: toBitmap(this.#dropouts(), clients) };
  }

  /** Round 3. */
  async acceptSignature(message: SurvivorSignature, digest: Digest): Promise<Acceptance> {
    const { member, signature } = message;
    this.#requireStage("consistency");
    this.#requireSession(message);
    this.#requireMember(member, this.#survivors.has(member));
    if (this.#isRepeated(member, digest)) return "repeated";
    if (!(await this.#identities[member]!.verify(this.#survivorsMessage, signature))) {
      throw failure("secagg/invalid-signature", `secagg: member ${member} did not sign the survivors`, {
        detail: { member },
      });
    }
    this.#requireStage("consistency");
    if (this.#isRepeated(member, digest)) return "repeated";
    this.#record(member, digest);
    this.#signatures.set(member, signature);
    return "accepted";
  }

  /** The signatures of U4, for every survivor. */
  closeConsistency(): SignatureList {
    this.#requireStage("consistency");
    requireCount(this.#signatures.size, this.shape.signatureThreshold, "signatures on the survivors");
    this.#stage = "unmask";
    return {
      signatures: ascending(this.#signatures.keys()).map((member) => ({
        member,
        signature: this.#signatures.get(member)!,
      })),
    };
  }

  /** Round 4. */
  acceptUnmaskShares(message: UnmaskShares, digest: Digest): Acceptance {
    const { member } = message;
    this.#requireStage("unmask");
    this.#requireSession(message);
    this.#requireMember(member, this.#survivors.has(member));
    if (this.#isRepeated(member, digest)) return "repeated";
    // Who holds a share of whom is symmetric in both graphs.
    const { givers } = this.#shares;
    const held = this.#session!.graph.holdersOf(member).filter((of) => givers.has(of));
    this.#revealed.add(
      message,
      held.filter((of) => this.#survivors.has(of)),
      held.filter((of) => !this.#survivors.has(of)),
    );
    this.#record(member, digest);
    return "accepted";
  }

  /**
   * Reconstructs the survivors' seeds and the dropouts' keys: what unmasking needs. False shares are told from true
   * ones by the seed's commitment and the key's public part.
   *
   * @throws TributaryError `secagg/below-threshold` or `secagg/invalid-share`; then nothing comes out.
   */
  async closeUnmask(): Promise<UnmaskWork> {
    this.#requireStage("unmask");
    this.#stage = "unmasking";
    const items: UnmaskItem[] = [];
    this.#reconstructor.prepare(
      [...this.#survivors, ...this.#dropouts()].map((member) => this.#revealed.pointsOf(member)),
    );
    for (const member of ascending(this.#survivors)) {
      const commitment = this.#shares.seedCommitmentOf(member);
      const seed = await this.#reconstructor.recover(member, this.#revealed.pointsOf(member), (bytes) =>
        equalBytes(seedCommitmentOf(this.#sessionId, member, bytes), commitment),
      );
      items.push({ type: "self", member, seed });
    }
    const { x25519 } = this.#options.crypto;
    for (const member of this.#dropouts()) {
      const { maskKey } = this.#keys.get(member)!;
      const peers = this.#neighbours(member, this.#survivors).map((peer) => ({
        member: peer,
        maskKey: this.#keys.get(peer)!.maskKey,
      }));
      const maskSecret = await this.#reconstructor.recover(
        member,
        this.#revealed.pointsOf(member),
        async (bytes) => equalBytes((await x25519.importSecret(bytes)).publicKey, maskKey),
      );
      items.push({ type: "pairs", member, maskSecret, peers });
    }
    return { sessionId: this.#sessionId, segments: this.#options.encoding.segments, items };
  }

  /** @param maskSums - one for each part of the work, all of it */
  finish(maskSums: readonly Uint32Array[]): CohortSum {
    this.#requireStage("unmasking");
    this.#stage = "done";
    return {
      sum: this.#masked.unmask(maskSums),
      contributors: ascending(this.#survivors),
      liars: this.#reconstructor.liars,
    };
  }

  get #sessionId(): Uint8Array {
    return this.#session!.id;
  }

  #dropouts(): number[] {
    return ascending(this.#shares.givers.keys()).filter((member) => !this.#survivors.has(member));
  }

  #neighbours(member: number, among: { has(member: number): boolean }): number[] {
    return this.#session!.graph.neighboursOf(member).filter((other) => among.has(other));
  }

  #requireStage(expected: ServerStage): void {
    if (this.#stage === expected) return;
    throw failure(
      "secagg/phase-over",
      `secagg: stage ${expected} is asked for, the cohort is in ${this.#stage}`,
      {
        detail: { expected, stage: this.#stage },
      },
    );
  }

  #requireMember(member: number, isMember: boolean): void {
    if (isMember) return;
    throw failure("secagg/unknown-member", `secagg: member ${member} has no part in stage ${this.#stage}`, {
      detail: { member },
    });
  }

  #requireSession({ sessionId, member }: { readonly sessionId: Uint8Array; readonly member: number }): void {
    if (equalBytes(sessionId, this.#sessionId)) return;
    throw failure("secagg/wrong-session", `secagg: the message of member ${member} is of another session`, {
      detail: { member },
    });
  }

  /** A key of small order would make every neighbour of this member give up. */
  #requireSafeKeys({ member, encryptionKey, maskKey }: Advertisement): void {
    if (!hasSmallOrder(encryptionKey) && !hasSmallOrder(maskKey)) return;
    throw failure("secagg/invalid-key", `secagg: a key of member ${member} has small order`, {
      detail: { member },
    });
  }

  /** Distinct over the cohort, as every member will check. */
  #requireFreshKeys({ member, encryptionKey, maskKey }: Advertisement): void {
    const keys = [encryptionKey, maskKey].map((key) => String.fromCharCode(...key));
    if (keys[0] === keys[1] || keys.some((key) => this.#knownKeys.has(key))) {
      throw failure("secagg/invalid-key", `secagg: a key of member ${member} is used already`, {
        detail: { member },
      });
    }
    for (const key of keys) this.#knownKeys.add(key);
  }

  /** Whether exactly this message was accepted before; throws for another one of the same member. */
  #isRepeated(member: number, digest: Digest): boolean {
    const before = this.#accepted.get(this.#slot(member));
    if (before === undefined) return false;
    if (before === digest) return true;
    throw failure(
      "secagg/repeated-member",
      `secagg: member ${member} has answered stage ${this.#stage} with another message`,
      { detail: { member } },
    );
  }

  #record(member: number, digest: Digest): void {
    this.#accepted.set(this.#slot(member), digest);
  }

  #slot(member: number): string {
    return `${this.#stage}:${member}`;
  }
}

function ascending(members: Iterable<number>): number[] {
  return [...members].toSorted((a, b) => a - b);
}
