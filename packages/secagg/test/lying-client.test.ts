import { sha256, systemRandom } from "@tributary/core";
import { codeOf } from "@tributary/core/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { encodeElement, type UnmaskShares } from "../src/index.ts";
import { advertisementMessage, cohortIdOf, listDigestOf } from "../src/transcript.ts";
import { accept } from "./support/accept.ts";
import { bindingOf, TestCohort } from "./support/cohort.ts";
import { rejection } from "./support/rejection.ts";

const CLIENTS = 9;
let cohort: TestCohort;
let everyone: number[];

beforeEach(async () => {
  cohort = await TestCohort.open({ clients: CLIENTS });
  everyone = cohort.members();
});

async function untilMasking(): Promise<void> {
  await cohort.shareKeys(everyone, await cohort.advertise(everyone));
}

describe("keys", () => {
  test("unsigned, with another nonce, of another's number, or a second set", async () => {
    const advertisement = await cohort.clients[0]!.advertise(cohort.server.cohort);
    const { server } = cohort;
    const send = (changed: Partial<typeof advertisement>) =>
      rejection(accept.advertisement(server, { ...advertisement, ...changed }));
    expect(await send({ maskKey: systemRandom.bytes(32) })).toBe("secagg/invalid-signature");
    expect(await send({ nonce: systemRandom.bytes(32) })).toBe("secagg/commitment-mismatch");
    expect(await send({ member: 1 })).toBe("secagg/commitment-mismatch");
    expect(await send({ member: 99 })).toBe("secagg/unknown-member");
    expect(await accept.advertisement(server, advertisement)).toBe("accepted");
    expect(await accept.advertisement(server, advertisement)).toBe("repeated");
    expect(await send({ maskKey: systemRandom.bytes(32) })).toBe("secagg/repeated-member");
  });
});

test("a key of small order, which would end its neighbours' sessions", async () => {
  const { server } = cohort;
  const unsigned = {
    ...(await cohort.clients[0]!.advertise(server.cohort)),
    maskKey: new Uint8Array(32),
  };
  const cohortId = cohortIdOf(bindingOf(cohort.encoding), listDigestOf(server.cohort));
  const signature = await cohort.identities[0]!.sign(advertisementMessage(cohortId, unsigned));
  expect(await rejection(accept.advertisement(server, { ...unsigned, signature }))).toBe(
    "secagg/invalid-key",
  );
});

describe("shares", () => {
  test("too few, of another session, or after the stage", async () => {
    const keys = await cohort.advertise(everyone);
    const bundle = await cohort.clients[0]!.shareKeys(keys);
    const { server } = cohort;
    expect(codeOf(() => accept.shares(server, { ...bundle, shares: bundle.shares.slice(1) }))).toBe(
      "secagg/invalid-share",
    );
    expect(codeOf(() => accept.shares(server, { ...bundle, sessionId: systemRandom.bytes(32) }))).toBe(
      "secagg/wrong-session",
    );
    await cohort.shareKeys(cohort.members([0]), keys);
    expect(codeOf(() => accept.shares(server, bundle))).toBe("secagg/phase-over");
  });
});

describe("masked vectors", () => {
  test("of the wrong length, a replay, a second one, and one that is late", async () => {
    await untilMasking();
    const { server } = cohort;
    const message = await cohort.masked(0);
    const digest = sha256(message.vector);
    const send = (changed: Partial<typeof message>, as = digest) =>
      codeOf(() => server.acceptMaskedInput({ ...message, ...changed }, as));
    expect(send({ vector: message.vector.subarray(1) })).toBe("secagg/wrong-length");
    expect(send({ sessionId: systemRandom.bytes(32) })).toBe("secagg/wrong-session");
    expect(send({ member: 77 })).toBe("secagg/unknown-member");
    expect(server.acceptMaskedInput(message, digest)).toBe("accepted");
    expect(server.acceptMaskedInput(message, digest)).toBe("repeated");
    const other = message.vector.with(0, message.vector[0]! ^ 1);
    expect(send({ vector: other }, sha256(other))).toBe("secagg/already-uploaded");
    const late = await cohort.masked(8);
    const survivors = await cohort.maskInputs([1, 2, 3, 4, 5, 6, 7]);
    expect(server.acceptsMaskedInput).toBe(false);
    expect(codeOf(() => server.acceptMaskedInput(late, sha256(late.vector)))).toBe("secagg/phase-over");
    const members = everyone.slice(0, 8);
    const { sum } = await cohort.unmask(members, await cohort.sign(members, survivors));
    expect(sum).toEqual(cohort.expected(members));
  });
});

describe("unmasking", () => {
  async function answers(lost: readonly number[]): Promise<UnmaskShares[]> {
    await untilMasking();
    const members = cohort.members(lost);
    const survivors = await cohort.maskInputs(members);
    const signatures = await cohort.sign(members, survivors);
    return Promise.all(members.map((member) => cohort.clients[member]!.unmask(signatures)));
  }
  const falsified = (answer: UnmaskShares): UnmaskShares => ({
    ...answer,
    seedShares: answer.seedShares.map(({ of }) => ({ of, share: encodeElement(BigInt(of + 5)) })),
    keyShares: answer.keyShares.map(({ of }) => ({ of, share: encodeElement(BigInt(of + 5)) })),
  });

  test("a member that lies about all its shares is found, and the sum is right", async () => {
    const messages = await answers([8]);
    for (const [i, answer] of messages.entries())
      accept.unmaskShares(cohort.server, i === 2 ? falsified(answer) : answer);
    const { sum, liars } = await cohort.finish();
    expect(sum).toEqual(cohort.expected(cohort.members([8])));
    expect(liars).toEqual([2]);
  });

  test("more liars than spare shares: nothing comes out", async () => {
    const messages = await answers([7, 8]);
    for (const [i, answer] of messages.entries())
      accept.unmaskShares(cohort.server, i === 2 ? falsified(answer) : answer);
    expect(await rejection(cohort.finish())).toBe("secagg/invalid-share");
  });

  test("shares that are no elements, of others, or both of one member", async () => {
    const [answer] = await answers([8]);
    const { server } = cohort;
    const send = (changed: Partial<UnmaskShares>) =>
      codeOf(() => accept.unmaskShares(server, { ...answer!, ...changed }));
    const [first, ...rest] = answer!.seedShares;
    const tooLarge = new Uint8Array(33).fill(0xff);
    expect(send({ seedShares: [{ of: first!.of, share: tooLarge }, ...rest] })).toBe("secagg/invalid-share");
    expect(send({ seedShares: rest })).toBe("secagg/invalid-share");
    expect(send({ keyShares: [first!, ...answer!.keyShares] })).toBe("secagg/invalid-share");
    expect(send({ member: 8 })).toBe("secagg/unknown-member");
    expect(accept.unmaskShares(server, answer!)).toBe("accepted");
    expect(accept.unmaskShares(server, answer!)).toBe("repeated");
  });
});
