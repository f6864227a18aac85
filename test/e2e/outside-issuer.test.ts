import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createApiClient, type RoundView } from "@tributary/api-client";
import { createIssuerKey } from "@tributary/coordinator";
import { encodeHex } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import type { ParticipationEvent } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startCoordinator, temporaryFolder } from "../src/coordinator-process.ts";
import { startTributary } from "../src/tributary-process.ts";

// Issuer, coordinator and auditor are processes of their own; the app's backend is this one.

const SECRET = "known-to-the-backend-alone";
const DEVICES = 4;
let folder: ReturnType<typeof temporaryFolder>;
let opened = new AsyncDisposableStack();

beforeEach(() => {
  opened = new AsyncDisposableStack();
  folder = temporaryFolder();
  opened.defer(() => folder.remove());
});
afterEach(() => opened.disposeAsync());

test("devices whose app vouches for them sum a round under masks, and the log that they were held against is audited", async () => {
  const keyDir = join(folder.path, "issuer");
  const publicKey = encodeHex((await createIssuerKey(keyDir)).publicKey);
  const issuer = startTributary(["issue", "serve", "--key-dir", keyDir, "--port", "0"], {
    env: { TRIBUTARY_ISSUER_SECRET: SECRET },
  });
  const [issuerUrl] = /http:\S+(?=;)/.exec(await issuer.line(/^issuer /))!;

  const dataDir = join(folder.path, "coordinator");
  const coordinator = await startCoordinator({
    dataDir,
    args: ["--issuer-key", publicKey, "--issuer-name", "the clinic"],
  });
  opened.defer(async () => void (await coordinator.stop()));
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", buildLinear({ seed: 1 }));
  await api.createTask({
    name: "digits",
    model: "digits",
    rounds: 1,
    local: { epochs: 1, batchSize: 10, learningRate: 0.05, maxExamples: 60 },
    cohort: { goalCount: DEVICES, minimumCount: 3, overSelection: 1, trainDeadlineMs: 30_000 },
    secureAggregation: { mode: "on", minimumCohort: 3, phaseDeadlineMs: 10_000 },
  } as never);

  const rootFile = join(folder.path, "root.json");
  const root = new Uint8Array(await (await fetch(`${coordinator.url}/v1/tuf/1.root.json`)).arrayBuffer());
  await writeFile(rootFile, root);
  const events: ParticipationEvent[] = [];
  for (let i = 0; i < DEVICES; i++) {
    const runtime = await createRuntime({
      coordinator: coordinator.url,
      trust: { root, minimumCohort: 3, issuer: publicKey },
      // What the app's backend does once it knows who asks.
      token: (device) =>
        fetch(`${issuerUrl}/v1/certificates`, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${SECRET}` },
          body: JSON.stringify(device),
        }).then((answer) => answer.text()),
      dataDir: join(folder.path, `device-${i}`),
    });
    opened.defer(() => runtime.close());
    const model = await runtime.model("digits");
    await model.examples.addAll(
      Array.from({ length: 20 }, (_, n) => ({
        image: Float32Array.from({ length: 784 }, (_pixel, p) => ((p * 7 + n * 13 + i) % 29) / 29),
        label: (n + i) % 10,
      })),
    );
    const participation = runtime.participate({ consent: true, task: "digits" });
    void (async () => {
      for await (const event of participation.events()) events.push(event);
    })();
  }
  const round = await vi.waitFor(
    async () => {
      const last: RoundView | undefined = (await api.rounds("digits")).rounds[0];
      expect(last?.endedAt, JSON.stringify(events)).toBeTypeOf("string");
      return last!;
    },
    { timeout: 40_000, interval: 50 },
  );
  expect(round).toMatchObject({ phase: "committed", cohort: DEVICES, secure: { survivors: DEVICES } });
  expect(events.filter(({ type }) => type === "secured")).toHaveLength(DEVICES);

  // The coordinator vouches for nobody, and has nothing that it could do so with.
  expect((await api.status()).issuer).toEqual({
    kind: "outside",
    name: "the clinic",
    publicKey,
    certificates: DEVICES,
  });
  expect(await readdir(join(dataDir, "keys"))).not.toContain("issuer.key.json");

  const audit = await startTributary([
    "log",
    "verify",
    `--url=${coordinator.url}`,
    `--data-dir=${dataDir}`,
    `--root=${rootFile}`,
    `--issuer=${publicKey}`,
    `--issued=${join(keyDir, "issued.jsonl")}`,
  ]).ended;
  expect(audit).toMatchObject({ code: 0, stderr: "" });
  expect(audit.stdout).toMatch(/^4 certificates of 4 devices, root [0-9a-f]{64}: as signed\ndefault +4$/);

  issuer.signal("SIGTERM");
  expect(await issuer.ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/stopping$/) });
});
