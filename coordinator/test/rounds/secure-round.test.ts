import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { asTaskName, type Digest } from "@tributary/core";
import type { SecureStep, SecureStepName } from "@tributary/protocol";
import { addVector, decodeSum } from "@tributary/secagg";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  OPERATOR,
  publishTask,
  rooms,
  startRoom,
  weightsOf,
  type Room,
  type RoundDevice,
} from "./rounds-room.ts";
import { authorization, ScriptedMember, type Gift } from "./secure-member.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const task = asTaskName("digits");

async function secureTask(room: Room, members: number, more: Record<string, unknown> = {}): Promise<void> {
  await publishTask(room, {
    rounds: 1,
    evaluation: { dataset: null },
    cohort: { goalCount: members },
    maxUpdateNorm: 10,
    secureAggregation: { mode: "on", minimumCohort: 3, phaseDeadlineMs: 1_500, ...more },
  });
}

/** A cohort whose members are ready. */
async function cohort(room: Room, gifts: readonly Gift[]): Promise<ScriptedMember[]> {
  const devices = await Promise.all(gifts.map(() => room.device()));
  for (const device of devices) device.checkIn();
  return Promise.all(devices.map((device, i) => ScriptedMember.ready(room.url, device, gifts[i]!)));
}

const gifts = (count: number): Gift[] =>
  Array.from({ length: count }, (_, i) => ({ value: 0.01 * (i + 1), examples: 10 + i }));

async function ended(room: Room) {
  return vi.waitFor(
    async () => {
      // After one that was abandoned the next begins before long, and is the newest then.
      const round = (await room.store.rounds.list(task)).find(({ endedAt }) => endedAt !== null);
      expect(round?.endedAt).toBeTypeOf("number");
      return round!;
    },
    { timeout: 15_000, interval: 20 },
  );
}

async function askedFor(members: readonly ScriptedMember[], step: SecureStepName): Promise<SecureStep[]> {
  const requests = await Promise.all(members.map((member) => member.asked()));
  for (const request of requests) expect(request.step).toBe(step);
  return requests;
}

describe("a secure round", () => {
  test("commits what its members' codes sum to, bit for bit, and journals digests only", async () => {
    const room = await open();
    await secureTask(room, 3);
    const members = await cohort(room, gifts(3));
    await Promise.all(members.map((member) => member.go("unmask")));
    const round = await ended(room);
    expect(round).toMatchObject({
      phase: "committed",
      version: 2,
      reported: 3,
      numExamples: 33,
      trainLoss: expect.closeTo(2, 2),
      secure: { threshold: 3, survivors: 3, private: false, unmasked: 1 },
    });
    const { encoding } = members[0]!;
    const sum = new Uint32Array(encoding.vectorLength);
    for (const { codes } of members) addVector(sum, codes);
    const [update] = decodeSum(encoding, sum, 3);
    const base = await weightsOf(room, 1);
    expect(await weightsOf(room, 2)).toEqual(
      base.map((value, i) =>
        Math.fround(value + Math.fround((update![i]! * encoding.spec.maxWeight) / round.numExamples)),
      ),
    );
    for (const { device } of members) {
      expect(await device.socket.next("outcome")).toMatchObject({ result: "committed", version: 2 });
    }
    const journal = JSON.stringify(await room.store.journal.read(round.id));
    expect(journal).toContain("secure-opened");
    // Commitments and digests; a masked vector alone would be 20 KB.
    expect(journal.length).toBeLessThan(10_000);
    expect(await readdir(join(room.folder, "uploads"))).toEqual([]);
  });

  test("a member that vanishes after it has masked stays in the sum", async () => {
    const room = await open();
    await secureTask(room, 4);
    const members = await cohort(room, gifts(4));
    const [gone, ...others] = members;
    await Promise.all([
      ...others.map((member) => member.go("unmask")),
      gone!.go("mask").then(() => gone!.device.socket.close()),
    ]);
    expect(await ended(room)).toMatchObject({
      phase: "committed",
      reported: 4,
      numExamples: 46,
      secure: { survivors: 4, lost: { sign: 1 } },
    });
  });

  test("members that give more than their norm allows come to nothing, and the model stays", async () => {
    const room = await open();
    await secureTask(room, 3);
    const members = await cohort(room, [{ value: 1, examples: 600 }, ...gifts(2)]);
    await Promise.all(members.map((member) => member.go("unmask")));
    expect(await ended(room)).toMatchObject({
      phase: "abandoned",
      reason: "round/secure-sum-refused",
      version: null,
      numExamples: 0,
    });
  });

  test("totals that contradict each other are refused too", async () => {
    const room = await open();
    await secureTask(room, 3);
    const members = await cohort(room, [{ value: 0, examples: 10, correct: 600 }, ...gifts(2)]);
    await Promise.all(members.map((member) => member.go("unmask")));
    expect(await ended(room)).toMatchObject({ phase: "abandoned", reason: "round/secure-sum-refused" });
    const suspicions = await room.store.suspicions.list(task);
    expect(new Map(suspicions.map(({ deviceId, points, state }) => [deviceId, [points, state]]))).toEqual(
      new Map(members.map(({ device }) => [device.identity.deviceId, [1, "suspected"]])),
    );
  });

  test("a restart abandons the cohort and never resumes it", async () => {
    const room = await open();
    await secureTask(room, 3);
    const members = await cohort(room, gifts(3));
    await Promise.all(members.map((member) => member.go("mask")));
    await room.stop();
    const again = await startRoom(room.folder);
    try {
      const [, first] = await vi.waitFor(async () => {
        const all = await again.store.rounds.list(task);
        expect(all).toHaveLength(2);
        return all;
      });
      expect(first).toMatchObject({ phase: "abandoned", reason: "round/interrupted", version: null });
      expect(await readdir(join(room.folder, "uploads"))).toEqual([]);
    } finally {
      await again.stop();
    }
  });
});

describe("members of cohorts whose sums fail", () => {
  /** A device that gives the same again and again, in whichever cohort it is; ends with its connection. */
  const live = async (room: Room, device: RoundDevice, gift: Gift): Promise<void> => {
    device.checkIn();
    for (;;) await (await ScriptedMember.ready(room.url, device, gift)).go("unmask");
  };

  test("are reshuffled until the one that makes them fail is alone: it is quarantined, the others are cleared, and an operator may release it", async () => {
    const room = await open();
    await publishTask(room, {
      evaluation: { dataset: null },
      cohort: { goalCount: 4, trainDeadlineMs: 3_000 },
      maxUpdateNorm: 10,
      secureAggregation: { mode: "on", minimumCohort: 3, phaseDeadlineMs: 5_000 },
    });
    const devices = await Promise.all(Array.from({ length: 10 }, () => room.device()));
    const [liar] = devices;
    const lives = devices.map((device, i) =>
      live(
        room,
        device,
        device === liar ? { value: 1, examples: 600 } : { value: 0.01, examples: 10 + i },
      ).catch(() => undefined),
    );
    const { deviceId } = liar!.identity;
    const found = await vi.waitFor(
      async () => {
        const suspicions = await room.store.suspicions.list(task);
        expect(suspicions.map(({ state }) => state)).toEqual(["quarantined"]);
        return suspicions[0]!;
      },
      { timeout: 40_000, interval: 50 },
    );
    expect(found.deviceId).toBe(deviceId);
    expect(found.points).toBeGreaterThanOrEqual(3);

    // Told, and not asked again; the others' sums hold.
    expect(await liar!.socket.next("refusal")).toMatchObject({ code: "federation/quarantined" });
    const { number: last } = (await room.store.rounds.list(task, { limit: 1 }))[0]!;
    const later = await vi.waitFor(
      async () => {
        const rounds = (await room.store.rounds.list(task)).filter(({ number }) => number > last);
        expect(rounds.filter(({ phase }) => phase === "committed").length).toBeGreaterThanOrEqual(2);
        return rounds;
      },
      { timeout: 20_000, interval: 50 },
    );
    expect(later.map(({ reason }) => reason)).not.toContain("round/secure-sum-refused");

    // What people see of it, and how it ends.
    const path = `${room.url}/v1/tasks/digits/suspicions`;
    const listed = (await (await fetch(path)).json()) as { suspicions: unknown[] };
    expect(listed.suspicions).toEqual([
      expect.objectContaining({ task: "digits", device: deviceId, state: "quarantined" }),
    ]);
    const release = (authorization?: string) =>
      fetch(`${path}/${deviceId}`, {
        method: "DELETE",
        ...(authorization === undefined ? {} : { headers: { authorization } }),
      });
    expect((await release()).status).toBe(401);
    expect(await (await release(OPERATOR)).json()).toMatchObject({ device: deviceId, state: "released" });
    expect((await release(OPERATOR)).status).toBe(404);
    const audit = (await room.store.events.after(0, 10_000)).filter(({ type }) => type === "suspicion");
    expect(audit.map(({ data }) => data)).toMatchObject([
      { device: deviceId, state: "quarantined", roundId: found.roundId },
      { device: deviceId, state: "released" },
    ]);
    const device = (await room.store.audit.pseudonym(deviceId))!;
    const records = await room.store.audit.list({ object: { task, device } }, { limit: 10 });
    expect(records).toMatchObject([
      { action: "device.release", actor: { kind: "operator", via: "http" }, detail: { was: "quarantined" } },
      { action: "device.quarantine", actor: { kind: "coordinator", task, round: found.roundId } },
    ]);
    // It takes part again at once, and as before.
    liar!.checkIn();
    await vi.waitFor(async () => expect(await room.store.suspicions.list(task)).not.toEqual([]), {
      timeout: 20_000,
      interval: 50,
    });
    await room.stop();
    await Promise.all(lives);
  }, 90_000);
});

describe("a capability", () => {
  test("opens one member's one step: not another member's, not another step, not a changed one, not none", async () => {
    const room = await open();
    await secureTask(room, 3);
    const members = await cohort(room, gifts(3));
    const requests = await askedFor(members, "advertise");
    const [mine, other] = requests as [SecureStep, SecureStep];
    const [member] = members;
    const refused = { status: 403, code: "secagg/invalid-capability" };

    const body = await member!.make(mine);
    expect(await member!.put(other, body, { capability: mine.capability })).toEqual(refused);
    expect(await member!.put({ ...mine, step: "mask" }, body)).toEqual(refused);
    const changed = mine.capability.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
    expect(await member!.put(mine, body, { capability: changed })).toEqual(refused);
    expect((await member!.get(other, mine.capability)).status).toBe(403);
    const bare = await fetch(`${room.url}/v1/secure/${mine.roundId}/advertise/${mine.member}`);
    expect(bare.status).toBe(403);
    expect(await member!.put({ ...mine, roundId: "digits-99" as never }, body)).toEqual({
      status: 404,
      code: "round/unknown-round",
    });
    const got = await member!.get(mine);
    expect(got.status).toBe(200);
    expect(got.headers.get("cache-control")).toContain("no-store");
    await room.stop();
  });

  test("takes one answer: the same again counts once, another is refused, and so are lies about the body", async () => {
    const room = await open();
    await secureTask(room, 3);
    const members = await cohort(room, gifts(3));
    const requests = await askedFor(members, "advertise");
    const [mine] = requests as [SecureStep];
    const [member] = members;
    const body = await member!.make(mine);

    const lie = await member!.put(mine, body, { digest: "ab".repeat(32) as Digest });
    expect(lie.code).toBe("update/digest-mismatch");
    expect((await member!.put(mine, new Uint8Array(100_000))).code).toBe("update/too-large");
    expect((await member!.put(mine, new Uint8Array(3))).code).toMatch(/^codec\//);
    expect((await member!.put(mine, body)).status).toBe(202);
    expect((await member!.put(mine, body)).status).toBe(202);
    const second = Uint8Array.from(body, (byte, i) => (i === 40 ? byte ^ 1 : byte));
    expect(await member!.put(mine, second)).toEqual({ status: 409, code: "secagg/already-uploaded" });

    // Speaking as another member, with a capability of one's own.
    const foreign = await members[1]!.make(requests[1]!);
    expect((await members[2]!.put(requests[2]!, foreign)).code).toBe("secagg/unknown-member");
    await room.stop();
  });

  test("ends with its step: a vector that comes after the survivors are fixed is refused unread", async () => {
    const room = await open();
    await secureTask(room, 4);
    const members = await cohort(room, gifts(4));
    const [late, ...others] = members;
    await Promise.all(members.map((member) => member.go("share")));
    const [request] = await askedFor([late!], "mask");
    const body = await late!.make(request!);
    await Promise.all(others.map((member) => member.go("unmask")));
    expect(await ended(room)).toMatchObject({ phase: "committed", reported: 3, dropouts: 1 });
    expect(await late!.device.socket.next("outcome")).toMatchObject({ result: "late" });
    expect((await late!.put(request!, body)).status).toBeGreaterThanOrEqual(400);
  });

  test("is no device's certificate, and the other way round", async () => {
    const room = await open();
    await secureTask(room, 3);
    const members = await cohort(room, gifts(3));
    const [mine] = (await askedFor(members, "advertise")) as [SecureStep];
    const response = await fetch(`${room.url}/v1/rounds/${mine.roundId}/updates/${"ab".repeat(32)}`, {
      method: "PUT",
      headers: { authorization: authorization(mine.capability), "content-type": "application/octet-stream" },
      body: new Uint8Array(4),
    });
    expect(response.status).toBe(401);
    await room.stop();
  });
});

describe("who is ready", () => {
  test("with another device's certificate is refused alone; the cohort is formed of the others", async () => {
    const room = await open();
    await secureTask(room, 3);
    const thief = await room.device();
    thief.checkIn();
    const members = await Promise.all([room.device(), room.device()]);
    for (const device of members) device.checkIn();
    const [first] = await Promise.all(
      members.map((device, i) => ScriptedMember.ready(room.url, device, gifts(2)[i]!)),
    );
    const offer = await thief.offer();
    thief.socket.send({
      type: "secure-ready",
      roundId: offer.roundId,
      commitment: "cd".repeat(32) as Digest,
      certificate: first!.device.identity.certificate,
    });
    expect(await thief.socket.next("refusal")).toMatchObject({ code: "identity/device-mismatch" });
    await room.stop();
  });
});

describe("a secure task", () => {
  test("that could not be summed without wrapping, or hides nothing, is refused before it is signed", async () => {
    const room = await open();
    const code = async (more: Record<string, unknown>): Promise<unknown> =>
      publishTask(room, more).then(
        () => "created",
        (error: { code: string }) => error.code,
      );
    const on = { mode: "on", minimumCohort: 3 };
    expect(
      await code({
        cohort: { goalCount: 5_000 },
        secureAggregation: { ...on, valueBits: 24 },
      }),
    ).toBe("secagg/ring-overflow");
    expect(await code({ cohort: { goalCount: 5 }, secureAggregation: { mode: "on" } })).toBe(
      "protocol/invalid-document",
    );
  });
});
