import { seededRandom } from "@tributary/core";
import { expect, test } from "vitest";
import { createClients } from "../../src/fleet-model/clients.ts";
import { fleetModel } from "../../src/fleet-model/fleet-model.ts";

const HOUR_MS = 3_600_000;
const N = 4_000;

function population(model: object = {}) {
  const labels = { languages: { "de-CH": 0.25, en: 0.5 }, tags: { beta: 0.1 } };
  const clients = createClients("7", fleetModel(model), labels);
  const of = (hour: number) =>
    Array.from({ length: N }, (_, i) => clients.conditions(i, hour * HOUR_MS + 5).conditions);
  return { clients, of };
}
const share = (list: readonly boolean[]): number => list.filter(Boolean).length / list.length;

test("devices are drawn in the shares that are asked for, and each stays what it is", () => {
  const model = { nodeShare: 0.2, webgpuShare: 0.5, untoldShare: 0, batteryShare: 0.5, unmeteredShare: 0.3 };
  const { of } = population({ ...model, chargingShare: 0.4 });
  const [first, later] = [of(0), of(1)];
  const has = (engine: string) => share(first.map(({ engines }) => engines.includes(engine)));
  expect(has("ort-node")).toBeCloseTo(0.2, 1);
  expect(has("ort-webgpu")).toBeCloseTo(0.4, 1);
  expect(has("ort-wasm")).toBe(1);
  expect(share(first.map(({ languages }) => languages[0] === "de-CH"))).toBeCloseTo(0.25, 1);
  expect(share(first.map(({ languages }) => languages.length === 0))).toBeCloseTo(0.25, 1);
  expect(share(first.map(({ tags }) => tags.includes("beta")))).toBeCloseTo(0.1, 1);
  expect(share(first.map(({ network }) => network === "unmetered"))).toBeCloseTo(0.3, 1);
  const batteries = first.flatMap(({ battery }) => (battery === null || battery === "none" ? [] : [battery]));
  expect(batteries.length / N).toBeCloseTo(0.5, 1);
  expect(share(batteries.map(({ charging }) => charging))).toBeCloseTo(0.4, 1);
  for (const [i, before] of first.entries()) {
    const { engines, memoryMb, languages, tags } = later[i]!;
    expect({ engines, memoryMb, languages, tags }).toEqual({
      engines: before.engines,
      memoryMb: before.memoryMb,
      languages: before.languages,
      tags: before.tags,
    });
  }
  expect(first.some(({ network }, i) => network !== later[i]!.network)).toBe(true);
});

test("browsers tell memory as browsers do, or nothing; until the hour ends nothing changes", () => {
  const { clients, of } = population({ untoldShare: 0.3 });
  const told = of(3);
  expect(
    share(
      told.map(({ memoryMb, battery, network }) => [memoryMb, battery, network].every((x) => x === null)),
    ),
  ).toBeCloseTo(0.3, 1);
  for (const { memoryMb } of told)
    if (memoryMb !== null) expect([256, 512, 1024, 2048, 4096, 8192]).toContain(memoryMb);
  const random = seededRandom("moments");
  for (let i = 0; i < 50; i++) {
    const at = Math.floor(random.next() * 100 * HOUR_MS);
    const { conditions, untilMs } = clients.conditions(i, at);
    expect(untilMs).toBeGreaterThan(at);
    expect(clients.conditions(i, untilMs - 1).conditions).toEqual(conditions);
  }
});
