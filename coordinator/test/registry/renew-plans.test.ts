import { asModelName, asTaskName, encodeHex, encodeUtf8, silentLogger, systemClock } from "@tributary/core";
import { ISSUER_TARGET, parseIssuerDocument, parseMeasurementPlan, parsePlan } from "@tributary/protocol";
import { afterEach, expect, test } from "vitest";
import { renewPlans } from "../../src/registry/renew-plans.ts";
import { publishIssuer } from "../../src/releases/issuer-target.ts";
import { rooms, type Room } from "../rounds/rounds-room.ts";
import { smallClassifier } from "../rounds/small-classifier.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const model = asModelName("small");
const secret = asTaskName("secret");
const plain = asTaskName("plain");
const key = (fill: number) => new Uint8Array(32).fill(fill);

/** What a start does with the issuer it is told of; what it warned of. */
async function startWith(room: Room, issuerPublicKey: Uint8Array): Promise<readonly unknown[]> {
  const warnings: unknown[] = [];
  const log = { ...silentLogger, warn: (_: string, fields?: object) => void warnings.push(fields) };
  const options = {
    store: room.store,
    blobs: room.blobs,
    releases: room.releases,
    env: { clock: systemClock, log },
    issuerPublicKey,
  };
  await publishIssuer({ ...options, name: "the clinic" });
  await renewPlans(options);
  return warnings;
}

async function released(room: Room) {
  const targets = await room.store.releases.targets();
  const { digest } = targets.find(({ path }) => path === ISSUER_TARGET)!;
  return {
    issuer: parseIssuerDocument(await room.blobs.bytes(digest)),
    paths: targets.map(({ path }) => path),
  };
}

test("the release says who vouches for devices; with another issuer, secure tasks get another plan", async () => {
  const room = await open();
  expect(await startWith(room, key(1))).toEqual([]);
  expect((await released(room)).issuer).toEqual({
    formatVersion: 1,
    publicKey: encodeHex(key(1)),
    name: "the clinic",
  });
  await room.registry.publish(model, smallClassifier({ training: true }));
  for (const [name, mode] of [
    [secret, "on"],
    [plain, "off"],
  ] as const) {
    await room.registry.createTask({ name, model, secureAggregation: { mode, minimumCohort: 3 } });
    await room.registry.changeTask(name, { state: "paused" });
  }
  const planOf = async (name: typeof secret) => {
    const { plan } = await room.registry.task(name);
    return { number: plan.number, document: parsePlan(await room.blobs.bytes(plan.digest)) };
  };
  const before = await planOf(secret);

  const first = encodeHex(key(2));
  expect(await startWith(room, key(2))).toEqual([{ before: encodeHex(key(1)), now: first }]);
  const after = await planOf(secret);
  expect(after.number).toBe(before.number + 1);
  expect(after.document.secureAggregation?.issuerPublicKey).toBe(first);
  expect(after.document.update).toEqual(before.document.update);
  expect((await planOf(plain)).number).toBe(1);
  const { issuer, paths } = await released(room);
  expect(issuer.publicKey).toBe(first);
  expect(paths).toContain("models/small/plans/secret/2.json");
  expect(paths.filter((path) => path.startsWith("models/small/plans/secret/1"))).toEqual([]);

  // Nothing is signed again for an issuer that the release names already.
  const latest = await room.store.releases.latest("timestamp");
  expect(await startWith(room, key(2))).toEqual([]);
  expect(await room.store.releases.latest("timestamp")).toEqual(latest);
});

test("a gate by metrics of before gets another plan, and is judged by what is read now", async () => {
  const room = await open();
  await publishIssuer({
    ...room,
    name: "the clinic",
    env: { clock: systemClock, log: silentLogger },
    issuerPublicKey: key(1),
  });
  await room.registry.publish(model, smallClassifier({ training: true }));
  const gate = { metric: "accuracy", heldOutShare: 0.1, minimumDevices: 2, confidence: 0.9, patience: 2 };
  await room.registry.createTask({ name: plain, model, secureAggregation: { mode: "off" }, gate, rounds: 1 });
  await room.registry.changeTask(plain, { state: "paused" });
  const gatePlan = async () => {
    const { plan, gatePlan: ref } = (await room.store.tasks.get(plain))!;
    return { plan, ref: ref!, document: parseMeasurementPlan(await room.blobs.bytes(ref!.digest)) };
  };
  const { plan, ref, document } = await gatePlan();
  const metrics = document.metrics.slice(0, 9);
  const old = await room.blobs.put(encodeUtf8(JSON.stringify({ ...document, metrics })));
  await room.store.transaction((tx) => tx.tasks.setPlan(plain, plan, { ...ref, ...old }));

  await startWith(room, key(1));
  const renewed = await gatePlan();
  expect(renewed.plan.number).toBe(plan.number + 1);
  expect(renewed.document.metrics).toEqual(document.metrics);
  await startWith(room, key(1));
  expect((await gatePlan()).plan).toEqual(renewed.plan);
});
