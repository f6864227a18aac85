import { createVirtualClock } from "@tributary/core/testing";
import { describe, expect, test } from "vitest";
import { parseMetadata, signSnapshotAndTimestamp } from "../src/index.ts";
import { publish, sign, type Signed } from "./delegated-release.ts";
import {
  DAY_MS,
  deviceOf,
  memoryStore,
  newSigner,
  Repository,
  reseal,
  START_MS,
  targetOf,
  writeJson,
} from "./repository.ts";

async function released(top: Signed, roles: Readonly<Record<string, Signed>> = {}) {
  const repository = await Repository.create();
  await publish(repository, top, roles);
  const device = deviceOf(repository);
  await device.client.refresh();
  repository.requests.length = 0;
  return { repository, ...device };
}

const asked = ({ requests }: Repository): readonly string[] =>
  requests.map((name) => name.replace(/^\d+\.(.*)\.json$/, "$1"));

describe("5.6.7 delegations", () => {
  test("a target of a delegated role is found, and only roles on the way to it are asked, once", async () => {
    const { client, repository } = await released(
      {
        delegations: [
          { name: "digits", paths: ["models/digits/*"] },
          { name: "texts", paths: ["models/texts/*"] },
        ],
      },
      { digits: { targets: ["models/digits/1"] }, texts: { targets: ["models/texts/1"] } },
    );
    expect(client.target("models/digits/1")).toBeUndefined();
    expect(await client.find("models/digits/1")).toEqual(targetOf("models/digits/1"));
    expect(await client.find("models/digits/1")).toEqual(targetOf("models/digits/1"));
    expect(await client.find("models/digits/2")).toBeUndefined();
    expect(await client.find("elsewhere")).toBeUndefined();
    expect(asked(repository)).toEqual(["digits"]);
  });

  test("a role has no say over paths that it was not given", async () => {
    const { client } = await released(
      { targets: ["mine"], delegations: [{ name: "digits", paths: ["models/*"] }] },
      { digits: { targets: ["mine", "yours", "models/1"] } },
    );
    expect(await client.find("yours")).toBeUndefined();
    expect(await client.find("models/1")).toEqual(targetOf("models/1"));
  });

  test("the search is in preorder: earlier delegations and their own come first", async () => {
    const { client, repository } = await released(
      {
        delegations: [
          { name: "a", paths: ["*"] },
          { name: "b", paths: ["*"] },
        ],
      },
      {
        a: { delegations: [{ name: "aa", paths: ["*"] }] },
        aa: {},
        b: { targets: ["x"] },
      },
    );
    await client.find("x");
    expect(asked(repository)).toEqual(["a", "aa", "b"]);
  });

  test("5.6.7.2.1 nothing beyond a terminating delegation is asked, also above it", async () => {
    const { client, repository } = await released(
      {
        delegations: [
          { name: "a", paths: ["*"] },
          { name: "c", paths: ["*"] },
        ],
      },
      {
        a: {
          delegations: [
            { name: "b", paths: ["x"], terminating: true },
            { name: "d", paths: ["*"] },
          ],
        },
        b: {},
        c: { targets: ["x", "y"] },
        d: {},
      },
    );
    expect(await client.find("x")).toBeUndefined();
    expect(asked(repository)).toEqual(["a", "b"]);
    // Other paths are not ended.
    expect(await client.find("y")).toEqual(targetOf("y"));
  });

  test("5.6.7.1 cycles end, and so does a way of too many roles", async () => {
    const { client } = await released(
      { delegations: [{ name: "a", paths: ["*"] }] },
      {
        a: { delegations: [{ name: "b", paths: ["*"] }] },
        b: { delegations: [{ name: "a", paths: ["*"] }] },
      },
    );
    expect(await client.find("x")).toBeUndefined();

    const chain = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [
        `r${i}`,
        { delegations: [{ name: `r${i + 1}`, paths: ["*"] }] } satisfies Signed,
      ]),
    );
    const long = await released({ delegations: [{ name: "r0", paths: ["*"] }] }, chain);
    await expect(long.client.find("x")).rejects.toMatchObject({
      code: "tuf/too-large",
      detail: { step: "5.6.7.1" },
    });
    expect(long.repository.requests).toHaveLength(32);
  });
});

describe("what a delegated role's file has to be", () => {
  const top: Signed = { delegations: [{ name: "a", paths: ["*"] }] };
  const refusal = async (
    spoil: (repository: Repository) => Promise<void> | void,
    roles: Readonly<Record<string, Signed>> = { a: { targets: ["x"] } },
  ) => {
    const { client, repository, store } = await released(top, roles);
    await spoil(repository);
    const error = await client.find("x").catch((reason: unknown) => reason);
    // What was refused is not kept.
    expect(store.files.has("a")).toBe(false);
    return error;
  };

  test("5.6.1 listed by the snapshot, and there", async () => {
    expect(await refusal(() => {}, {})).toMatchObject({
      code: "tuf/missing-metadata",
      detail: { step: "5.6.1" },
    });
    expect(await refusal((repository) => void repository.files.delete("1.a.json"))).toMatchObject({
      code: "tuf/missing-metadata",
    });
  });

  test("5.6.2 mix-and-match: the listed bytes", async () => {
    const error = await refusal(async (repository) => {
      const other = await sign(repository, "a", { targets: ["y"] });
      repository.files.set("1.a.json", other);
    });
    expect(error).toMatchObject({ code: "tuf/hash-mismatch", detail: { role: "a", step: "5.6.2" } });
  });

  test("5.6.3 signed by the keys that its delegator lists, as many as it says", async () => {
    const [one, two] = [await newSigner(), await newSigner()];
    const by = [one, two];
    for (const [signers, threshold, code] of [
      [[await newSigner()], 1, "tuf/threshold-not-met"],
      [[one], 2, "tuf/threshold-not-met"],
      [[one, two], 2, undefined],
    ] as const) {
      const { client } = await released(
        { delegations: [{ name: "a", paths: ["*"], threshold, by }] },
        { a: { targets: ["x"], signers } },
      );
      const found = client.find("x");
      if (code === undefined) expect(await found).toEqual(targetOf("x"));
      else await expect(found).rejects.toMatchObject({ code, detail: { role: "a", step: "5.6.3" } });
    }
  });

  test("5.6.3 a top-level key is none of a delegated role", async () => {
    const repository = await Repository.create();
    await publish(repository, top, { a: { targets: ["x"], signers: repository.keys.targets } });
    const { client } = deviceOf(repository);
    await client.refresh();
    await expect(client.find("x")).rejects.toMatchObject({ code: "tuf/threshold-not-met" });
  });

  test("a role that was verified by one delegator's keys is verified anew by another's", async () => {
    const mine = await newSigner();
    const { client } = await released(
      {
        delegations: [
          { name: "a", paths: ["x"], by: [mine] },
          { name: "b", paths: ["y"] },
        ],
      },
      {
        a: { targets: ["x", "y"], signers: [mine] },
        // b trusts another key to sign for "a".
        b: { delegations: [{ name: "a", paths: ["y"], by: [await newSigner()] }] },
      },
    );
    expect(await client.find("x")).toEqual(targetOf("x"));
    await expect(client.find("y")).rejects.toMatchObject({
      code: "tuf/threshold-not-met",
      detail: { role: "a" },
    });
  });

  test("5.6.4 of the listed version", async () => {
    const { client, repository } = await released(top, { a: { targets: ["x"] } });
    // A snapshot that lists another version than the file has.
    const bytes = await sign(repository, "a", { targets: ["x"], version: 7 });
    const before = repository.versions!;
    const targets = repository.files.get(`${before.targets}.targets.json`)!;
    const rest = await signSnapshotAndTimestamp({
      previous: before,
      targets: { version: before.targets, bytes: targets },
      delegated: new Map([["a", { version: 2, bytes }]]),
      expiresMs: { snapshot: START_MS + DAY_MS, timestamp: START_MS + DAY_MS },
      signers: repository.keys,
    });
    repository.files.set("2.a.json", bytes);
    repository.files.set(`${rest.versions.snapshot}.snapshot.json`, rest.snapshot);
    repository.files.set("timestamp.json", rest.timestamp);
    await client.refresh();
    await expect(client.find("x")).rejects.toMatchObject({
      code: "tuf/wrong-version",
      detail: { role: "a", step: "5.6.4" },
    });
  });

  test("5.6.5 fresh at the time of the search, whenever it was fetched", async () => {
    const { client, clock } = await released(top, {
      a: { targets: ["x"], expiresMs: START_MS + 2 * DAY_MS },
    });
    expect(await client.find("x")).toEqual(targetOf("x"));
    clock.advance(2 * DAY_MS);
    await expect(client.find("x")).rejects.toMatchObject({ code: "tuf/expired", detail: { role: "a" } });
  });

  test("5.5.5 the snapshot may not list an older one than before, nor drop it", async () => {
    for (const roles of [{ a: { version: 1 } }, {}]) {
      const { client, repository } = await released(top, { a: { targets: ["x"], version: 2 } });
      await publish(repository, top, roles);
      await expect(client.refresh()).rejects.toMatchObject({
        code: "tuf/rollback",
        detail: { role: "a.json", step: "5.5.5" },
      });
    }
  });
});

describe("malformed delegations", () => {
  const role = { name: "a", keyids: [], threshold: 1, terminating: false, paths: ["*"] };
  test.each([
    ["a top-level role's name", [{ ...role, name: "snapshot" }]],
    ["no name", [{ ...role, name: "" }]],
    ["one name twice", [role, role]],
    ["patterns and prefixes", [{ ...role, path_hash_prefixes: ["00"] }]],
    ["neither", [{ name: "a", keyids: [], threshold: 1, terminating: false }]],
    ["a prefix that is no hash", [{ ...role, paths: undefined, path_hash_prefixes: ["0G"] }]],
    ["an empty pattern", [{ ...role, paths: [""] }]],
    ["a threshold of 0", [{ ...role, threshold: 0 }]],
    ["a terminating that is no boolean", [{ ...role, terminating: "yes" }]],
  ])("%s", async (_, roles) => {
    const repository = await Repository.create();
    const bytes = await reseal(
      repository.files.get("1.targets.json")!,
      JSON.parse(JSON.stringify({ delegations: { keys: {}, roles } })) as never,
      repository.keys.targets,
    );
    await expect(parseMetadata("targets", bytes)).rejects.toThrow(
      expect.objectContaining({ code: "tuf/invalid-metadata" }),
    );
  });

  test("a key under a keyid that is not its hash", async () => {
    const delegations = {
      keys: { ["0".repeat(64)]: { keytype: "ed25519", scheme: "ed25519", keyval: { public: "00" } } },
      roles: [],
    };
    const signed = {
      _type: "targets",
      spec_version: "1.0.34",
      version: 1,
      expires: "2030-01-01T00:00:00Z",
      targets: {},
    };
    await expect(
      parseMetadata("targets", writeJson({ signatures: [], signed: { ...signed, delegations } })),
    ).rejects.toThrow(expect.objectContaining({ code: "tuf/invalid-metadata" }));
  });
});

test("before the first refresh nothing is found, and a store without the delegated file is filled again", async () => {
  const repository = await Repository.create();
  await publish(
    repository,
    { delegations: [{ name: "../a b", paths: ["*"] }] },
    { "../a b": { targets: ["x"] } },
  );
  const store = memoryStore();
  const { client } = deviceOf(repository, { store });
  expect(await client.find("x")).toBeUndefined();
  await client.refresh();
  expect(await client.find("x")).toEqual(targetOf("x"));
  expect(store.files.get("../a b")).toEqual(repository.files.get("1.../a b.json"));
  store.files.set("../a b", new Uint8Array([1]));
  expect(await client.find("x")).toEqual(targetOf("x"));
});

test("what was verified is found without network after a restart, expired or not; without the snapshot it is not", async () => {
  const repository = await Repository.create();
  await publish(
    repository,
    { delegations: [{ name: "digits", paths: ["models/digits/*"] }] },
    { digits: { targets: ["models/digits/1", "models/digits/2"] } },
  );
  const store = memoryStore();
  const first = deviceOf(repository, { store }).client;
  await first.refresh();
  expect(first.delegations().map(({ name }) => name)).toEqual(["digits"]);
  expect(await first.namesBeside("models/digits/any")).toEqual(["models/digits/1", "models/digits/2"]);
  expect(await first.namesBeside("models/texts/any")).toEqual([]);
  // The top-level targets name something else: with that, nobody else is asked.
  const asked: (readonly string[])[] = [];
  const isEnough = (names: readonly string[]): boolean => asked.push(names) > 0;
  expect(await first.namesBeside("models/digits/any", { isEnough })).toEqual(asked[0]);
  expect(asked).toHaveLength(1);
  const clock = createVirtualClock({ startMs: START_MS + 400 * DAY_MS });
  const { client } = deviceOf(repository, { store, clock });
  repository.files.clear();
  expect(await client.load()).toBe(true);
  expect(await client.find("models/digits/1")).toEqual(targetOf("models/digits/1"));
  store.files.delete("snapshot");
  expect(await client.load()).toBe(true);
  await expect(client.find("models/digits/1")).rejects.toMatchObject({ code: "tuf/missing-metadata" });
});
