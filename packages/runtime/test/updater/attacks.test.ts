import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { encodeUtf8, sha256, silentLogger, systemRandom } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import {
  addSignatures,
  generateTufKey,
  signRoot,
  signSnapshotAndTimestamp,
  signTargets,
  signTimestamp,
  type TargetFile,
  type TufSigner,
} from "@tributary/tuf";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createMemoryStore } from "../../src/testing/memory-store.ts";
import { createBlobFetcher } from "../../src/updater/blob-fetcher.ts";
import { createReleases, type Releases } from "../../src/updater/releases.ts";
import { transportsTo } from "../fixtures/transports.ts";

// The attacks that the specification names (TUF 1.5.2), by a server that says what it likes, against what a device updates itself by.

const DAY_MS = 86_400_000;
const PATHS = ["*", "*/*", "*/*/*"];
const FILE = "models/digits/versions/1/weights.safetensors";

type Role = "root" | "targets" | "snapshot" | "timestamp" | "digits" | "texts";
type Answer = Uint8Array | ((response: ServerResponse) => void);

let clock: ReturnType<typeof createVirtualClock>;
let server: ReturnType<typeof createServer>;
/** By path: what the server says. */
let answers: Map<string, Answer>;
let keys: Record<Role, TufSigner[]>;
let root: Uint8Array;
let versions: { root: number; targets: number; snapshot: number; timestamp: number };
let releases: Releases;
let signedTargets: { version: number; bytes: Uint8Array };
let delegated: Map<string, { version: number; bytes: Uint8Array }>;
let url: string;
const closing = new AbortController().signal;

beforeEach(async () => {
  clock = createVirtualClock({ startMs: Date.UTC(2026, 0, 1) });
  answers = new Map();
  versions = { root: 0, targets: 0, snapshot: 0, timestamp: 0 };
  keys = {} as typeof keys;
  for (const role of ["root", "targets", "snapshot", "timestamp", "digits", "texts"] as const)
    keys[role] = [await newKey()];
  await publishRoot();
  server = createServer((request, response) => {
    const answer = answers.get(decodeURIComponent(request.url!));
    if (answer === undefined) return response.writeHead(404).end();
    if (typeof answer === "function") return answer(response);
    return response.end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  releases = device();
  await publish({ digits: { [FILE]: "first" } });
  await releases.refresh();
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const newKey = async (): Promise<TufSigner> => (await generateTufKey()).signer;
const ofRole = (role: Role, threshold = 1) => ({ keys: keys[role].map(({ key }) => key), threshold });
const put = (name: string, answer: Answer): void => void answers.set(`/v1/tuf/${name}`, answer);
const served = (name: string): Uint8Array => answers.get(`/v1/tuf/${name}`) as Uint8Array;

function device(): Releases {
  const env = { clock, random: systemRandom, log: silentLogger };
  const store = createMemoryStore();
  const http = transportsTo(url, env);
  return createReleases({
    trustedRoot: async () => root,
    store: store.metadata,
    identity: { store, tags: [] },
    http,
    blobs: createBlobFetcher({ cache: store.blobs, http, env }),
    env,
    closing,
  });
}

async function publishRoot(also: readonly TufSigner[] = [], thresholds: Partial<Record<Role, number>> = {}) {
  const previous = versions.root === 0 ? {} : { previous: served(`${versions.root}.root.json`) };
  const bytes = await signRoot({
    version: ++versions.root,
    expiresMs: clock.now() + 365 * DAY_MS,
    keysByRole: {
      root: ofRole("root", thresholds.root),
      targets: ofRole("targets", thresholds.targets),
      snapshot: ofRole("snapshot", thresholds.snapshot),
      timestamp: ofRole("timestamp", thresholds.timestamp),
    },
    signers: [...keys.root, ...also],
    ...previous,
  });
  if (versions.root === 1) root = bytes;
  put(`${versions.root}.root.json`, bytes);
}

type Files = Readonly<Record<string, string>>;

/** The next release: what each model's role signs, and thresholds of these roles. */
async function publish(
  files: { readonly digits?: Files; readonly texts?: Files },
  {
    thresholds = {},
    signers = keys,
  }: { thresholds?: Partial<Record<Role, number>>; signers?: Partial<typeof keys> } = {},
): Promise<void> {
  const expiresMs = clock.now() + 30 * DAY_MS;
  const version = ++versions.targets;
  delegated = new Map();
  for (const name of ["digits", "texts"] as const) {
    const targets = Object.entries(files[name] ?? {}).map(([path, content]) => target(path, content));
    const bytes = await signTargets({ version, expiresMs, targets, signers: signers[name] ?? keys[name] });
    delegated.set(name, { version, bytes });
    put(`${version}.${name}.json`, bytes);
  }
  const bytes = await signTargets({
    version,
    expiresMs,
    targets: [],
    delegations: (["digits", "texts"] as const).map((name) => ({
      name,
      ...ofRole(name, thresholds[name]),
      paths: PATHS.map((pattern) => `models/${name}/${pattern}`),
    })),
    signers: keys.targets,
  });
  signedTargets = { version, bytes };
  put(`${version}.targets.json`, bytes);
  await signUpper(versions, expiresMs);
}

async function signUpper(
  previous: { readonly snapshot: number; readonly timestamp: number },
  expiresMs = clock.now() + 30 * DAY_MS,
): Promise<void> {
  const upper = await signSnapshotAndTimestamp({
    previous,
    targets: signedTargets,
    delegated,
    expiresMs: { snapshot: expiresMs, timestamp: expiresMs },
    signers: keys,
  });
  versions = { ...versions, ...upper.versions };
  put(`${versions.snapshot}.snapshot.json`, upper.snapshot);
  put("timestamp.json", upper.timestamp);
}

function target(path: string, content: string): TargetFile {
  const bytes = encodeUtf8(content);
  const digest = sha256(bytes);
  answers.set(`/v1/blobs/${digest}`, bytes);
  return { path, length: bytes.length, sha256: digest, custom: undefined };
}

const blobOf = (content: string): string => `/v1/blobs/${sha256(encodeUtf8(content))}`;
const fetched = async (path = FILE): Promise<string> =>
  new TextDecoder().decode(await releases.fetchTarget(path, { keep: false }));

/** The device refuses what is served, and goes on with what it had. */
async function expectRefusal(code: string): Promise<void> {
  await expect(releases.refresh()).rejects.toMatchObject({ code });
  expect(await fetched()).toBe("first");
}

test("arbitrary software: bytes, targets or a whole repository of the attacker's own are not installed", async () => {
  answers.set(blobOf("first"), encodeUtf8("evil!"));
  await expect(fetched()).rejects.toMatchObject({ code: "transport/digest-mismatch" });
  answers.set(blobOf("first"), encodeUtf8("first"));
  const honest = new Map(answers);

  const own = await newKey();
  await publish({ digits: { [FILE]: "evil!" } }, { signers: { digits: [own] } });
  await releases.refresh();
  await expect(fetched()).rejects.toMatchObject({ code: "tuf/threshold-not-met" });

  answers = new Map(honest);
  keys = { ...keys, timestamp: [own], snapshot: [own], targets: [own] };
  await publish({ digits: { [FILE]: "evil!" } });
  await expect(releases.refresh()).rejects.toMatchObject({ code: "tuf/threshold-not-met" });
});

test("rollback: earlier genuine metadata, of any role, is not taken for new", async () => {
  const before = new Map(answers);
  await publish({ digits: { [FILE]: "second" } });
  await releases.refresh();
  expect(await fetched()).toBe("second");
  answers = before;
  await expect(releases.refresh()).rejects.toMatchObject({ code: "tuf/rollback" });
  // Also by a timestamp key that was stolen: the snapshot that it names is older.
  const snapshot = { version: 1, bytes: served("1.snapshot.json") };
  const expiresMs = clock.now() + DAY_MS;
  put("timestamp.json", await signTimestamp({ version: 9, expiresMs, snapshot, signers: keys.timestamp }));
  await expect(releases.refresh()).rejects.toMatchObject({ code: "tuf/rollback" });
  expect((await releases.find(FILE))?.sha256).toBe(sha256(encodeUtf8("second")));
});

test("indefinite freeze: metadata that is served for ever is refused once it has expired", async () => {
  clock.setNow(clock.now() + 29 * DAY_MS);
  await releases.refresh();
  clock.setNow(clock.now() + 2 * DAY_MS);
  await expect(releases.refresh()).rejects.toMatchObject({ code: "tuf/expired" });
  // Nor is a delegated role's file of before installed from.
  await expect(fetched()).rejects.toMatchObject({ code: "tuf/expired" });
});

test("mix-and-match: genuine files of different releases do not go together", async () => {
  const old = { snapshot: served("1.snapshot.json"), digits: served("1.digits.json") };
  await publish({ digits: { [FILE]: "second" } });
  const snapshot = served("2.snapshot.json");
  put("2.snapshot.json", old.snapshot);
  await expectRefusal("tuf/hash-mismatch");
  put("2.snapshot.json", snapshot);
  put("2.digits.json", old.digits);
  await releases.refresh();
  await expect(fetched()).rejects.toMatchObject({ code: "tuf/hash-mismatch" });
});

test("endless data: metadata and targets are read no further than they may be long", async () => {
  let sent = 0;
  const endless = (response: ServerResponse): void => {
    const chunk = new Uint8Array(65_536);
    const write = (): void => {
      while (!response.destroyed && response.write(chunk)) sent += chunk.length;
    };
    response.on("drain", write).on("error", () => undefined);
    write();
  };
  await publish({ digits: { [FILE]: "second" } });
  const timestamp = served("timestamp.json");
  put("timestamp.json", endless);
  await expect(releases.refresh()).rejects.toMatchObject({ code: "transport/too-large" });
  put("timestamp.json", timestamp);
  put("2.digits.json", endless);
  await releases.refresh();
  await expect(releases.find(FILE)).rejects.toMatchObject({ code: "transport/too-large" });
  put("2.digits.json", delegated.get("digits")!.bytes);
  answers.set(blobOf("second"), endless);
  await expect(fetched()).rejects.toMatchObject({ code: "transport/too-large" });
  // What the sockets buffer, and no more.
  expect(sent).toBeLessThan(64 * 1024 * 1024);
});

test("slow retrieval: a server that sends a byte now and then is left, metadata and targets alike", async () => {
  await publish({ digits: { [FILE]: "x".repeat(100) } });
  const trickled = new Set<ServerResponse>();
  const trickle = (response: ServerResponse): void => {
    trickled.add(response.on("close", () => trickled.delete(response)));
    response.write("{");
  };
  /** Ten seconds and a byte at a time until the device has given up, retries included. */
  const outlasts = async (work: Promise<unknown>): Promise<unknown> => {
    let failed: unknown;
    let over = false;
    const ended = work.catch((error: unknown) => (failed = error)).finally(() => (over = true));
    while (!over) {
      for (const response of trickled) response.write(" ");
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(10_000);
    }
    await ended;
    return failed;
  };
  const timestamp = served("timestamp.json");
  put("timestamp.json", trickle);
  // Broken off by the device: while it waits for an answer, or in the middle of one.
  const code = expect.stringMatching(/^(core\/timeout|transport\/closed)$/);
  expect(await outlasts(releases.refresh())).toMatchObject({ code });
  put("timestamp.json", timestamp);
  await releases.refresh();
  answers.set(blobOf("x".repeat(100)), trickle);
  expect(await outlasts(releases.fetchTarget(FILE))).toMatchObject({ code });
});

test("extraneous dependencies: a manifest brings in nothing that is not signed, or another model's", async () => {
  const port = { name: "x", dtype: "float32", shape: [-1, 1] };
  const manifestWith = (graph: string): string =>
    JSON.stringify({
      formatVersion: 2,
      model: "digits",
      channel: "stable",
      version: 1,
      parentVersion: null,
      graph: { target: graph },
      weights: { float32: { target: FILE }, int8: { target: FILE } },
      parameters: [{ name: "w", shape: [1] }],
      inputs: [port],
      outputs: [port],
      createdAt: "2026-01-01T00:00:00.000Z",
    });
  const stable = "models/digits/stable.json";
  await publish({
    digits: { [FILE]: "first", [stable]: manifestWith("models/texts/graphs/1.onnx") },
    texts: { "models/texts/graphs/1.onnx": "of another model" },
  });
  await releases.refresh();
  await expect(releases.model("digits", "stable")).rejects.toMatchObject({
    code: "runtime/incompatible-release",
  });
  await publish({ digits: { [FILE]: "first", [stable]: manifestWith("models/digits/graphs/1.onnx") } });
  await releases.refresh();
  expect((await releases.model("digits", "stable"))?.manifest.graph.target).toBe(
    "models/digits/graphs/1.onnx",
  );
  await expect(releases.fetchTarget("models/digits/graphs/1.onnx")).rejects.toMatchObject({
    code: "tuf/target-missing",
  });
});

test("wrong developer: who signs for one model signs nothing for another", async () => {
  await publish({
    digits: { [FILE]: "first" },
    texts: { [FILE]: "evil!", "models/digits/stable.json": "evil!", "models/texts/x": "fine" },
  });
  await releases.refresh();
  expect(await fetched()).toBe("first");
  expect(await releases.find("models/digits/stable.json")).toBeUndefined();
  expect(await fetched("models/texts/x")).toBe("fine");
});

test("key compromise below the threshold: one key of two signs neither a model nor a root", async () => {
  keys = { ...keys, digits: [await newKey(), await newKey()] };
  await publish({ digits: { [FILE]: "first" } }, { thresholds: { digits: 2 } });
  await releases.refresh();
  expect(await fetched()).toBe("first");
  const [stolen] = keys.digits;
  await publish(
    { digits: { [FILE]: "evil!" } },
    { thresholds: { digits: 2 }, signers: { digits: [stolen!] } },
  );
  await releases.refresh();
  await expect(fetched()).rejects.toMatchObject({ code: "tuf/threshold-not-met" });

  const old = keys.root;
  keys = { ...keys, root: [...old, await newKey()] };
  await publishRoot([], { root: 2 });
  await publish({ digits: { [FILE]: "first" } }, { thresholds: { digits: 2 } });
  await releases.refresh();
  const whole = served("2.root.json");
  const forged = JSON.parse(new TextDecoder().decode(whole)) as {
    signed: { version: number };
    signatures: [];
  };
  forged.signed.version = 3;
  forged.signatures = [];
  put("3.root.json", await addSignatures(encodeUtf8(JSON.stringify(forged)), [old[0]!]));
  await expectRefusal("tuf/threshold-not-met");
});

test("fast-forward: after stolen keys raised the version numbers, rotated ones begin again", async () => {
  await signUpper({ snapshot: 2 ** 31 - 2, timestamp: 2 ** 31 - 2 });
  await releases.refresh();
  await signUpper({ snapshot: 5, timestamp: 5 });
  await expectRefusal("tuf/rollback");
  keys = { ...keys, snapshot: [await newKey()], timestamp: [await newKey()] };
  await publishRoot();
  versions = { ...versions, snapshot: 6, timestamp: 6 };
  await publish({ digits: { [FILE]: "recovered" } });
  await releases.refresh();
  expect(await fetched()).toBe("recovered");
});
