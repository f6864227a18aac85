import { sha256, systemRandom } from "@tributary/core";
import { beforeEach, describe, expect, test } from "vitest";
import {
  SecAggClient,
  toBitmap,
  type KeyList,
  type ShareInbox,
  type SignatureList,
  type Survivors,
} from "../src/index.ts";
import { testIssuer } from "./support/identities.ts";
import { ASSUMPTIONS, bindingOf, crypto, identities, ISSUER, TestCohort } from "./support/cohort.ts";
import { accept } from "./support/accept.ts";
import { rejection } from "./support/rejection.ts";

const CLIENTS = 6;
const NO_PROOF = new Uint8Array(0);
let cohort: TestCohort;
let everyone: number[];

beforeEach(async () => {
  cohort = await TestCohort.open({ clients: CLIENTS });
  everyone = cohort.members();
});

/** Every refusal ends the session: nothing more comes out of the client. */
async function isOver(client: SecAggClient): Promise<void> {
  expect(client.stage).toBe("failed");
  expect(await rejection(client.unmask({ signatures: [] }))).toBe("secagg/out-of-order");
}

describe("round 0, the list", () => {
  test("a cohort below the device's floor, which a task cannot lower", async () => {
    const [own] = await identities(1);
    const client = new SecAggClient({
      binding: bindingOf(cohort.encoding),
      encoding: cohort.encoding,
      assumptions: ASSUMPTIONS,
      minimumCohort: 16,
      taskMinimumCohort: 3,
      ...own!,
      verifyCertificate: ISSUER.verifyCertificate,
      random: systemRandom,
      crypto,
    });
    expect(await rejection(client.advertise(cohort.server.cohort))).toBe("secagg/cohort-too-small");
    await isOver(client);
  });

  test("own entry missing, twice, or with another commitment", async () => {
    const { members } = cohort.server.cohort;
    const other = members[1]!;
    const lists = [
      [members.with(0, other).with(1, members[2]!), "secagg/invalid-cohort"],
      [members.with(1, members[0]!), "secagg/invalid-cohort"],
      [members.with(0, { ...members[0]!, commitment: other.commitment }), "secagg/commitment-mismatch"],
    ] as const;
    for (const [list, code] of lists) {
      const { clients } = await TestCohort.open({ clients: CLIENTS });
      const target = clients[0]!;
      const own = { ...members[0]!, commitment: target.commitment };
      const served = list.map((member) => (member === members[0] ? own : member));
      expect(await rejection(target.advertise({ members: served, membershipProof: NO_PROOF }))).toBe(code);
      await isOver(target);
    }
  });

  test("invented members, certified by nobody the device trusts", async () => {
    const sybil = await (await testIssuer()).issue();
    const members = cohort.server.cohort.members.with(3, {
      certificate: sybil.certificate,
      commitment: new Uint8Array(32),
    });
    const client = cohort.clients[0]!;
    expect(await rejection(client.advertise({ members, membershipProof: NO_PROOF }))).toBe(
      "secagg/invalid-certificate",
    );
    await isOver(client);
  });

  test("one member listed as two, who would sign twice", async () => {
    const { members } = cohort.server.cohort;
    const client = cohort.clients[0]!;
    expect(
      await rejection(client.advertise({ members: members.with(3, members[2]!), membershipProof: NO_PROOF })),
    ).toBe("secagg/invalid-cohort");
    await isOver(client);
  });
});

describe("round 0, the keys", () => {
  const served: [string, string, (list: KeyList) => KeyList][] = [
    [
      "own keys missing",
      "secagg/invalid-key",
      ({ advertisements }) => ({ advertisements: advertisements.slice(1) }),
    ],
    [
      "own keys swapped for another's",
      "secagg/invalid-key",
      ({ advertisements: [first, second, ...rest] }) => ({
        advertisements: [{ ...first!, maskKey: second!.encryptionKey }, second!, ...rest],
      }),
    ],
    [
      "a neighbour's key swapped for the server's",
      "secagg/invalid-signature",
      ({ advertisements }) => ({
        advertisements: advertisements.with(2, {
          ...advertisements[2]!,
          encryptionKey: systemRandom.bytes(32),
        }),
      }),
    ],
    [
      "a key used twice",
      "secagg/invalid-key",
      ({ advertisements }) => ({
        advertisements: advertisements.with(2, {
          ...advertisements[2]!,
          maskKey: advertisements[3]!.maskKey,
        }),
      }),
    ],
    [
      "a nonce chosen after the others were known",
      "secagg/commitment-mismatch",
      ({ advertisements }) => ({
        advertisements: advertisements.with(2, { ...advertisements[2]!, nonce: systemRandom.bytes(32) }),
      }),
    ],
    [
      "a member twice",
      "secagg/repeated-member",
      ({ advertisements }) => ({ advertisements: advertisements.with(2, advertisements[1]!) }),
    ],
    [
      "a member that is none",
      "secagg/unknown-member",
      ({ advertisements }) => ({ advertisements: [...advertisements, { ...advertisements[0]!, member: 6 }] }),
    ],
    [
      "too few",
      "secagg/below-threshold",
      ({ advertisements }) => ({ advertisements: advertisements.slice(0, 4) }),
    ],
  ];
  test.each(served)("%s: %s", async (_name, code, forge) => {
    const keys = await cohort.advertise(everyone);
    const client = cohort.clients[0]!;
    expect(await rejection(client.shareKeys(forge(keys)))).toBe(code);
    await isOver(client);
  });
});

describe("round 1, the inbox", () => {
  async function inbox(): Promise<ShareInbox> {
    const keys = await cohort.advertise(everyone);
    await cohort.shareKeys(everyone, keys);
    return cohort.server.inboxOf(0);
  }
  const flip = (bytes: Uint8Array): Uint8Array => bytes.with(9, bytes[9]! ^ 1);

  const served: [string, string, (inbox: ShareInbox) => ShareInbox][] = [
    [
      "a share that was changed",
      "secagg/invalid-share",
      ({ sharers, shares }) => ({
        sharers,
        shares: shares.with(1, { ...shares[1]!, ciphertext: flip(shares[1]!.ciphertext) }),
      }),
    ],
    [
      "the shares of two members crossed",
      "secagg/invalid-share",
      ({ sharers, shares }) => ({
        sharers,
        shares: shares
          .with(0, { ...shares[0]!, ciphertext: shares[1]!.ciphertext })
          .with(1, { ...shares[1]!, ciphertext: shares[0]!.ciphertext }),
      }),
    ],
    [
      "a sender twice",
      "secagg/repeated-member",
      ({ sharers, shares }) => ({ sharers, shares: shares.with(1, shares[0]!) }),
    ],
    [
      "a share withheld",
      "secagg/unknown-member",
      ({ sharers, shares }) => ({ sharers, shares: shares.slice(1) }),
    ],
    [
      "this device left out",
      "secagg/unknown-member",
      ({ shares }) => ({ sharers: toBitmap([1, 2, 3, 4, 5], CLIENTS), shares }),
    ],
    [
      "too few sharers",
      "secagg/below-threshold",
      ({ shares }) => ({ sharers: toBitmap([0, 1, 2], CLIENTS), shares: shares.slice(0, 2) }),
    ],
    [
      "bits beyond the cohort",
      "secagg/unknown-member",
      ({ shares }) => ({ sharers: Uint8Array.of(0xff), shares }),
    ],
  ];
  test.each(served)("%s: %s, and the update is not spent", async (_name, code, forge) => {
    const message = forge(await inbox());
    const client = cohort.clients[0]!;
    expect(await rejection(client.maskInput(message, cohort.updates[0]!))).toBe(code);
    expect(cohort.updates[0]!.isSpent).toBe(false);
    await isOver(client);
  });

  test("a replayed session: ciphertexts of an earlier one do not open", async () => {
    const earlier = await inbox();
    cohort = await TestCohort.open({ clients: CLIENTS });
    await inbox();
    expect(await rejection(cohort.clients[0]!.maskInput(earlier, cohort.updates[0]!))).toBe(
      "secagg/invalid-share",
    );
  });
});

describe("rounds 2 to 4, the survivors", () => {
  async function masked(lost: readonly number[] = []): Promise<Survivors> {
    const keys = await cohort.advertise(everyone);
    await cohort.shareKeys(everyone, keys);
    return cohort.maskInputs(cohort.members(lost));
  }
  const bitmap = (...members: number[]): Uint8Array => toBitmap(members, CLIENTS);

  const lists: [string, string, Survivors][] = [
    [
      "a member in both lists",
      "secagg/inconsistent-survivors",
      { survivors: bitmap(0, 1, 2, 3, 4), dropouts: bitmap(4, 5) },
    ],
    [
      "a member in neither",
      "secagg/inconsistent-survivors",
      { survivors: bitmap(0, 1, 2, 3, 4), dropouts: bitmap() },
    ],
    [
      "this device called a dropout",
      "secagg/inconsistent-survivors",
      { survivors: bitmap(1, 2, 3, 4, 5), dropouts: bitmap(0) },
    ],
    [
      "a lowered threshold",
      "secagg/below-threshold",
      { survivors: bitmap(0, 1), dropouts: bitmap(2, 3, 4, 5) },
    ],
  ];
  test.each(lists)("%s: %s", async (_name, code, message) => {
    await masked();
    const client = cohort.clients[0]!;
    expect(await rejection(client.signSurvivors(message))).toBe(code);
    await isOver(client);
  });

  test("a survivor that never shared", async () => {
    const keys = await cohort.advertise(everyone);
    await cohort.shareKeys(cohort.members([5]), keys);
    await cohort.maskInputs(cohort.members([5]));
    const message = { survivors: bitmap(0, 1, 2, 3, 4, 5), dropouts: bitmap() };
    expect(await rejection(cohort.clients[0]!.signSurvivors(message))).toBe("secagg/inconsistent-survivors");
  });

  test("survivors split by neighbourhood: neither side gets the signatures it needs", async () => {
    const clients = 9;
    cohort = await TestCohort.open({ clients });
    everyone = cohort.members();
    await masked();
    // The server tells 0 to 5 that 8 dropped out and 6 to 8 that 0 did, and passes each side's signatures on.
    const without = (gone: number): Survivors => ({
      survivors: toBitmap(cohort.members([gone]), clients),
      dropouts: toBitmap([gone], clients),
    });
    const signed = async (members: number[], told: Survivors) =>
      Promise.all(
        members.map(async (member) => ({
          member,
          signature: (await cohort.clients[member]!.signSurvivors(told)).signature,
        })),
      );
    const left = await signed([0, 1, 2, 3, 4, 5], without(8));
    const right = await signed([6, 7, 8], without(0));
    const [few, mixed]: SignatureList[] = [{ signatures: left }, { signatures: [...left, ...right] }];
    expect(cohort.server.shape.signatureThreshold).toBe(7);
    expect(await rejection(cohort.clients[1]!.unmask(few!))).toBe("secagg/below-threshold");
    expect(await rejection(cohort.clients[2]!.unmask(mixed!))).toMatch(
      /secagg\/(invalid-signature|inconsistent-survivors)/,
    );
    expect(await rejection(cohort.clients[7]!.unmask(mixed!))).toMatch(
      /secagg\/(invalid-signature|inconsistent-survivors)/,
    );
  });

  test("signatures repeated, of a dropout, or of another session", async () => {
    const survivors = await masked([5]);
    const signatures = await cohort.sign(cohort.members([5]), survivors);
    const list = signatures.signatures;
    const client = (member: number) => cohort.clients[member]!;
    expect(await rejection(client(0).unmask({ signatures: list.with(1, list[0]!) }))).toBe(
      "secagg/repeated-member",
    );
    expect(await rejection(client(1).unmask({ signatures: list.with(4, { ...list[4]!, member: 5 }) }))).toBe(
      "secagg/inconsistent-survivors",
    );
    const forged = { signatures: list.with(2, { ...list[2]!, signature: list[3]!.signature }) };
    expect(await rejection(client(2).unmask(forged))).toBe("secagg/invalid-signature");
  });

  test("unmasking asked for twice: one answer in a session", async () => {
    const signatures = await cohort.sign(everyone, await masked());
    const client = cohort.clients[0]!;
    const { seedShares, keyShares } = await client.unmask(signatures);
    expect([seedShares.length, keyShares.length]).toEqual([CLIENTS, 0]);
    expect(await rejection(client.unmask(signatures))).toBe("secagg/out-of-order");
  });

  test("of each member one secret is shared, never both", async () => {
    const signatures = await cohort.sign(cohort.members([5]), await masked([5]));
    const { seedShares, keyShares } = await cohort.clients[0]!.unmask(signatures);
    expect(seedShares.map(({ of }) => of)).toEqual([0, 1, 2, 3, 4]);
    expect(keyShares.map(({ of }) => of)).toEqual([5]);
  });

  test("a false 'dissolved': the update was spent when its vector left", async () => {
    await masked();
    expect(cohort.updates.every(({ isSpent }) => isSpent)).toBe(true);
    const again = await TestCohort.open({ clients: CLIENTS });
    again.updates[0] = cohort.updates[0]!;
    const keys = await again.advertise(again.members());
    await again.shareKeys(again.members(), keys);
    expect(await rejection(again.masked(0))).toBe("secagg/update-spent");
  });

  test("a repeated step, or two at once, ends the session", async () => {
    await masked();
    const client = cohort.clients[0]!;
    expect(await rejection(client.advertise(cohort.server.cohort))).toBe("secagg/out-of-order");
    await isOver(client);
    const survivors = { survivors: bitmap(0, 1, 2, 3, 4, 5), dropouts: bitmap() };
    const twice = [1, 1].map(() => rejection(cohort.clients[1]!.signSurvivors(survivors)));
    expect(await Promise.all(twice)).toEqual(["secagg/out-of-order", "secagg/out-of-order"]);
  });
});

describe("different models", () => {
  test("members with other base weights refuse each other's keys", async () => {
    const odd = await TestCohort.open({
      clients: CLIENTS,
      bindingFor: (member) => (member === 0 ? { baseWeights: sha256(Uint8Array.of(9)) } : {}),
    });
    const first = await odd.clients[0]!.advertise(odd.server.cohort);
    // The coordinator, which itself binds other weights, refuses them too.
    expect(await rejection(accept.advertisement(odd.server, first))).toBe("secagg/invalid-signature");
    const rest = await Promise.all(odd.clients.slice(1).map((client) => client.advertise(odd.server.cohort)));
    const keys = { advertisements: [first, ...rest] };
    expect(await rejection(odd.clients[0]!.shareKeys(keys))).toBe("secagg/invalid-signature");
    expect(await rejection(odd.clients[1]!.shareKeys(keys))).toBe("secagg/invalid-signature");
  });
});

test("what a client closes is erased, and closing twice does no harm", async () => {
  const client = cohort.clients[0]!;
  await client.advertise(cohort.server.cohort);
  client.close();
  client.close();
  await isOver(client);
});
