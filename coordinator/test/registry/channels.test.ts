import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createApiClient, type ApiClient } from "../../../packages/api-client/src/index.ts";
import { asModelVersion } from "@tributary/core";
import { bindWeights, buildLinear, splitWeights } from "@tributary/onnx";
import { MAX_ALIASES, MAX_CHANNELS, MAX_NOTE_LENGTH, parseModelManifest } from "@tributary/protocol";
import { parameterSet } from "@tributary/tensor";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { releaseReader, type ReleaseReader } from "../release-reader.ts";
import { model, rooms } from "../rounds/rounds-room.ts";
import { errorCode, runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";

// A model with four versions, of which each is near the one before.

let coordinator: RunningCoordinator;
let api: ApiClient;
let released: ReleaseReader;

beforeAll(async () => {
  coordinator = await runningCoordinator();
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  released = releaseReader(coordinator);
  const { graph, parameters } = splitWeights(buildLinear({ seed: "channels" }));
  for (const scale of [1, 1.01, 1.02, 1.03]) {
    const values = parameters.values.map((value, i) => (i % 50 === 0 ? scale * value : value));
    await api.publishModel("digits", bindWeights(graph, parameterSet(parameters.schema, values)));
  }
});
afterAll(() => coordinator.end());

const { open, dispose } = rooms();
afterEach(dispose);

const manifestOf = async (channel: string) => {
  await released.client.refresh();
  return parseModelManifest(await released.download(`models/digits/${channel}.json`));
};

test("each channel has its own signed manifest and is moved alone", async () => {
  expect(await api.releaseVersion("digits", 2, { channel: "beta" })).toMatchObject({ version: 2 });
  expect(await manifestOf("beta")).toMatchObject({ channel: "beta", version: 2, parentVersion: 1 });
  expect(await manifestOf("stable")).toMatchObject({ channel: "stable", version: 4 });
  await api.releaseVersion("digits", 3, { channel: "beta" });
  await api.releaseVersion("digits", 1);
  expect([(await manifestOf("beta")).version, (await manifestOf("stable")).version]).toEqual([3, 1]);
  const channels = await api.channels("digits");
  expect(channels.map(({ name, version }) => [name, version])).toEqual([
    ["stable", 1],
    ["beta", 3],
  ]);
  expect(channels.map(({ signed }) => signed)).toEqual([true, true]);
  expect(await api.model("digits")).toMatchObject({
    releasedVersion: 1,
    currentVersion: 4,
    channels: channels.map(({ name, version, releasedAt }) => ({ name, version, releasedAt })),
  });
  // What only beta points to was released to everybody by its publication alone.
  const before = (await api.versions("digits")).versions.find(({ version }) => version === 3)!.releasedAt;
  expect(Date.parse(before!)).toBeLessThan(Date.parse(channels[1]!.releasedAt));
});

test("deltas lead to a channel's version from those that the same channel pointed to before", async () => {
  await api.releaseVersion("digits", 4, { channel: "beta" });
  await released.client.refresh();
  const names = await released.client.namesBeside("models/digits/versions/4/weights.int8.safetensors");
  const from = names.flatMap((name) => /int8\.safetensors\.from-(\d+)/.exec(name)?.[1] ?? []);
  expect(from.map(Number)).toContain(3);
});

test("a damaged file of an earlier version costs a release its delta, which is counted, and nothing else", async () => {
  await api.releaseVersion("digits", 1, { channel: "damaged" });
  const manifest = await manifestOf("damaged");
  const { sha256 } = (await released.client.find(manifest.weights.int8.target))!;
  const path = join(coordinator.dataDir, "blobs", sha256.slice(0, 2), sha256);
  const bytes = await readFile(path);
  await writeFile(path, bytes.with(bytes.length >> 1, bytes[bytes.length >> 1]! ^ 1));
  try {
    await api.releaseVersion("digits", 2, { channel: "damaged" });
  } finally {
    await writeFile(path, bytes);
  }
  expect(await manifestOf("damaged")).toMatchObject({ version: 2 });
  const metrics = await (await coordinator.request("/metrics", { operator: true })).text();
  expect(metrics).toContain('tributary_deltas_missing_total{model="digits",code="store/corrupt"} 1');
  await api.removeChannel("digits", "damaged");
});

test("a removed channel leaves the release; stable and what is not there cannot go", async () => {
  await api.releaseVersion("digits", 2, { channel: "gone" });
  const left = await api.removeChannel("digits", "gone");
  expect(left.map(({ name }) => name)).toEqual(["stable", "beta"]);
  await released.client.refresh();
  expect(await released.client.find("models/digits/gone.json")).toBeUndefined();
  expect(await released.client.find("models/digits/stable.json")).toBeDefined();
  const refused = [
    api.removeChannel("digits", "stable"),
    api.removeChannel("digits", "gone"),
    api.removeChannel("none", "beta"),
    api.channels("none"),
    api.releaseVersion("digits", 1, { channel: "No Channel" }),
    api.releaseVersion("digits", 99, { channel: "beta" }),
  ];
  const codes = await Promise.all(refused.map((call) => call.catch((error: { code: string }) => error.code)));
  expect(codes).toEqual([
    "coordinator/channel-fixed",
    "coordinator/unknown-channel",
    "coordinator/unknown-model",
    "coordinator/unknown-model",
    "http/bad-request",
    "coordinator/unknown-version",
  ]);
});

test("versions are called by names wherever a number would do", async () => {
  await api.releaseVersion("digits", 1);
  const named = async () =>
    (await api.aliases("digits")).map(({ name, version }) => `${name} ${version}`).join(", ");
  expect(await named()).toBe("champion 1");
  expect(await api.moveAlias("digits", "reviewed", 3)).toMatchObject({ name: "reviewed", version: 3 });
  await api.releaseVersion("digits", "reviewed");
  await api.moveAlias("digits", "reviewed", "newest");
  expect(await named()).toBe("champion 3, reviewed 4");
  await api.releaseVersion("digits", "reviewed", { channel: "beta" });
  expect((await manifestOf("beta")).version).toBe(4);
  expect((await api.model("digits")).aliases).toEqual(await api.aliases("digits"));
  expect(await api.removeAlias("digits", "reviewed")).toHaveLength(1);
  const refused = [
    api.removeAlias("digits", "reviewed"),
    api.removeAlias("digits", "champion"),
    ...["newest", "champion", "candidate", "stable"].map((name) => api.moveAlias("digits", name, 1)),
    api.moveAlias("digits", "x", 99),
    api.moveAlias("digits", "x", "nothing"),
    api.moveAlias("none", "x", 1),
    api.moveAlias("digits", "7", 1),
    api.releaseVersion("digits", "nothing"),
    api.aliases("none"),
    api.channelHistory("digits", "nobodys"),
  ];
  const codes = await Promise.all(refused.map((call) => call.catch((error: { code: string }) => error.code)));
  expect(codes).toEqual([
    "coordinator/unknown-alias",
    ...Array<string>(5).fill("coordinator/alias-fixed"),
    "coordinator/unknown-version",
    "coordinator/unknown-alias",
    "coordinator/unknown-model",
    "http/bad-request",
    "coordinator/unknown-alias",
    "coordinator/unknown-model",
    "coordinator/unknown-channel",
  ]);
});

test("a version's card is read as JSON and as Markdown, with what operators write on it", async () => {
  await api.releaseVersion("digits", 1);
  const notes = { intendedUse: "Reading <digits>", contacts: ["ml@example.org"] };
  expect(await api.cardNotes("digits")).toEqual({ notes: null, updatedAt: null });
  const written = await api.setCardNotes("digits", notes);
  expect(written.notes).toEqual({ limitations: "", licence: "", ...notes });
  const card = await api.card("digits", "champion");
  expect(card).toMatchObject({ model: "digits", aliases: ["champion"], version: { version: 1 }, ...written });
  expect(card.version).toEqual(await api.version("digits", 1));
  const markdown = await api.cardMarkdown("digits", 1);
  expect(markdown).toMatch(/^# digits, version 1\n/);
  expect(markdown).toContain("Reading &lt;digits&gt;");
  const path = "/v1/models/digits/versions/champion/card";
  const negotiated = await coordinator.request(path, { headers: { accept: "text/markdown" } });
  expect(negotiated.headers.get("content-type")).toBe("text/markdown; charset=utf-8");
  expect([await negotiated.text(), negotiated.headers.get("vary")]).toEqual([markdown, "accept"]);
  const put = (body: object, operator: boolean) =>
    coordinator.request("/v1/models/digits/card-notes", {
      method: "PUT",
      operator,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const codes = [
    put({ licence: "x".repeat(201) }, true),
    put({ intendedUse: "x".repeat(MAX_NOTE_LENGTH + 1) }, true),
    put({ contacts: Array.from({ length: 17 }, () => "x") }, true),
    put(notes, false),
    coordinator.request("/v1/models/digits/versions/99/card"),
    coordinator.request("/v1/models/digits/versions/nothing/card.md"),
    coordinator.request("/v1/models/none/versions/1/card"),
  ].map(async (answer) => errorCode(await answer));
  expect(await Promise.all(codes)).toEqual([
    "http/bad-request",
    "http/bad-request",
    "http/bad-request",
    "identity/not-authorized",
    "coordinator/unknown-version",
    "coordinator/unknown-alias",
    "coordinator/unknown-model",
  ]);
  expect((await api.cardNotes("digits")).notes).toEqual(written.notes);
});

test("what a channel points to can be downloaded however old it is, and so can any that is still offered", async () => {
  await api.releaseVersion("digits", 1, { channel: "old" });
  await api.setRetention("digits", { newest: 2, releasedWithinDays: 0, deleteFiles: false });
  for (let i = 0; i < 3; i++) await api.publishModel("digits", buildLinear({ seed: `later ${i}` }));
  await released.client.refresh();
  const offered = async (version: number) =>
    (await released.client.find(`models/digits/versions/${version}/weights.safetensors`)) !== undefined;
  const { offered: listed } = await api.retention("digits");
  expect(listed.find(({ version }) => version === 1)!.reasons).toContain("channel");
  for (let version = 1; version <= 7; version++)
    expect(await offered(version)).toBe(listed.some((each) => each.version === version));
  expect(listed.slice(0, 2).map(({ version }) => version)).toEqual([7, 6]);
  expect((await manifestOf("old")).version).toBe(asModelVersion(1));
  await released.download((await manifestOf("old")).weights.int8.target);
});

test("a model has so many aliases and no more, and the audit log says who gave and took them", async () => {
  const room = await open();
  await room.registry.publish(model, buildLinear({ seed: 1 }));
  const version = asModelVersion(1);
  for (let i = 1; i < MAX_ALIASES; i++)
    await room.store.aliases.move({ model, name: `name-${i}`, version, movedAt: i });
  await expect(room.registry.moveAlias(model, "one-more", version)).rejects.toMatchObject({
    code: "coordinator/too-many-aliases",
  });
  await room.registry.removeAlias(model, "name-1");
  await room.registry.moveAlias(model, "one-more", "champion");
  const records = await room.store.audit.list({ object: { alias: "one-more" } }, { limit: 10 });
  expect(records).toMatchObject([
    {
      action: "alias.move",
      actor: { kind: "operator", via: "process" },
      object: { model, version },
      detail: { before: null },
    },
  ]);
  expect(await room.store.audit.list({ action: "alias.remove" }, { limit: 10 })).toMatchObject([
    { object: { alias: "name-1" } },
  ]);
});

test("a model has so many channels and no more", async () => {
  const room = await open();
  await room.registry.publish(model, buildLinear({ seed: 1 }));
  const version = asModelVersion(1);
  for (let i = 1; i < MAX_CHANNELS; i++)
    await room.store.channels.move({ model, name: `customer-${i}`, version, releasedAt: i });
  await expect(room.registry.release(model, version, { channel: "one-more" })).rejects.toMatchObject({
    code: "coordinator/too-many-channels",
  });
  await room.registry.release(model, version, { channel: "customer-1" });
  await room.registry.removeChannel(model, "customer-2");
  await room.registry.release(model, version, { channel: "one-more" });
  expect(await room.store.channels.list(model)).toHaveLength(MAX_CHANNELS);
});
