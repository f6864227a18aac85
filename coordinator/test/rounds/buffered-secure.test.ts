import { asTaskName } from "@tributary/core";
import type { TaskBuffer } from "@tributary/protocol";
import { addVector, decodeSum } from "@tributary/secagg";
import { afterEach, expect, test, vi } from "vitest";
import { model, publishTask, rooms, weightsOf } from "./rounds-room.ts";
import { ScriptedMember, type Gift } from "./secure-member.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const task = asTaskName("digits");
const gifts = (from: number): Gift[] =>
  [0, 1, 2].map((i) => ({ value: 0.01 * (from + i), examples: 10 + from + i }));

test("cohorts of a buffer are summed under masks, each on one base, and make a version together", async () => {
  const room = await open();
  await publishTask(room, {
    strategy: { name: "fedBuff", parameters: { learningRate: 0.5 } },
    evaluation: { dataset: null },
    mode: { type: "buffered", bufferSize: 6, maxStaleness: 1 },
    cohort: { goalCount: 3 },
    maxUpdateNorm: 10,
    secureAggregation: { mode: "on", minimumCohort: 3, phaseDeadlineMs: 5_000 },
  });
  const devices = await Promise.all(Array.from({ length: 3 }, () => room.device()));
  for (const device of devices) device.checkIn();
  const sums: Float64Array[] = [];
  let examples = 0;
  // The same devices, one cohort after the other: nobody waits for a version to begin with the second.
  for (const from of [1, 4]) {
    const members = await Promise.all(
      devices.map((device, i) => ScriptedMember.ready(room.url, device, gifts(from)[i]!)),
    );
    await Promise.all(members.map((member) => member.go("unmask")));
    for (const { device } of members)
      expect(await device.socket.next("outcome")).toMatchObject({ result: "buffered" });
    const { encoding } = members[0]!;
    const codes = new Uint32Array(encoding.vectorLength);
    for (const member of members) addVector(codes, member.codes);
    const [update] = decodeSum(encoding, codes, 3) as Float64Array[];
    sums.push(update!.map((value) => value * encoding.spec.maxWeight));
    examples += gifts(from).reduce((sum, gift) => sum + gift.examples, 0);
  }
  await vi.waitFor(async () => expect((await room.registry.model(model)).currentVersion).toBe(2), {
    timeout: 10_000,
    interval: 20,
  });
  const base = await weightsOf(room, 1);
  const next = await weightsOf(room, 2);
  const expected = base.map((value, i) => value + (0.5 * (sums[0]![i]! + sums[1]![i]!)) / examples);
  expect(Math.max(...expected.map((value, i) => Math.abs(value - next[i]!)))).toBeLessThan(1e-7);

  const response = await fetch(`${room.url}/v1/tasks/digits/buffer`);
  const { buffer } = (await response.json()) as TaskBuffer;
  expect(buffer).toMatchObject({
    bufferSize: 6,
    updates: 0,
    head: 2,
    superseded: 0,
    cohorts: [
      { staleness: 0, discount: 1, updates: 3, version: 2 },
      { staleness: 0, discount: 1, updates: 3, version: 2 },
    ],
  });
  const rounds = await room.store.rounds.list(task);
  const made = rounds.filter(({ phase }) => phase === "committed");
  expect(made).toMatchObject([
    { version: 2, secure: { survivors: 3 } },
    { version: 2, secure: { survivors: 3 } },
  ]);
});
