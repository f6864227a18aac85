import { asModelName, asTaskName, encodeHex, silentLogger } from "@tributary/core";
import { ISSUER_TARGET, parseIssuerDocument, parsePlan } from "@tributary/protocol";
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
    env: { log },
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
  expect(paths).toContain("plans/secret/2.json");
  expect(paths.filter((path) => path.startsWith("plans/secret/1"))).toEqual([]);

  // Nothing is signed again for an issuer that the release names already.
  const latest = await room.store.releases.latest("timestamp");
  expect(await startWith(room, key(2))).toEqual([]);
  expect(await room.store.releases.latest("timestamp")).toEqual(latest);
});
