import { join } from "node:path";
import { asPopulationName, asRoundId, asTaskName, silentLogger, type RoundId } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { openSqlMetadataStore } from "../../src/adapters/sql/sql-metadata-store.ts";
import { createCoordinator, type Coordinator } from "../../src/index.ts";
import { exampleDevice, exampleRound } from "../../src/testing/records.ts";
import { runningCoordinator } from "../running-coordinator.ts";

export interface ContractRoom {
  readonly url: string;
  readonly operatorToken: string;
  /** Values that a parameter or a field of this name can have here, so that requests meet what is there. */
  readonly known: ReadonlyMap<string, unknown[]>;
  /** Bodies of bytes that are of use. */
  readonly bytes: readonly Uint8Array<ArrayBuffer>[];
  end(): Promise<void>;
}

const MODEL = "digits";
const TASK = "digits-training";

/** A coordinator with a model, a task that had rounds, a rollout, and devices; started anew, as one that runs for long is. */
export async function openContractRoom(): Promise<ContractRoom> {
  const first = await runningCoordinator();
  const model = buildLinear({ seed: 1 });
  const published = await operate(first, "POST", `/v1/models/${MODEL}/versions`, model);
  const { weightsDigest } = published as { weightsDigest: string };
  const next = buildLinear({ seed: 2 });
  await operate(first, "POST", `/v1/models/${MODEL}/versions?release=false`, next);
  await operate(first, "POST", "/v1/tasks", { name: TASK, model: MODEL, rounds: 5 });
  await operate(first, "POST", `/v1/tasks/${TASK}/state`, { state: "paused" });
  await operate(first, "PUT", `/v1/models/${MODEL}/card-notes`, { intendedUse: "Digits of one hand" });
  await operate(first, "POST", `/v1/models/${MODEL}/release`, { version: 1, channel: "beta" });
  const { digest } = (await operate(first, "POST", "/v1/blobs", Uint8Array.of(1, 2, 3))) as {
    digest: string;
  };
  await first.close();
  await addHistory(first.dataDir);
  const coordinator = await createCoordinator({
    dataDir: first.dataDir,
    port: 0,
    logLevel: "silent",
    env: { log: silentLogger },
  });
  const { rollout } = (await operate(coordinator, "POST", `/v1/models/${MODEL}/rollouts`, {
    arms: [{ name: "b", version: 2 }],
    gates: [],
  })) as { rollout: string };
  const round = roundId(2);
  return {
    url: coordinator.url,
    operatorToken: coordinator.operatorToken,
    known: new Map<string, unknown[]>([
      ["model", [MODEL]],
      ["task", [TASK]],
      ["rollout", [rollout]],
      ["version", [1, 2, "1", "2"]],
      ["roundId", [round]],
      ["round", [round]],
      ["channel", ["beta", "stable"]],
      ["alias", ["reviewed", "champion"]],
      ["device", [exampleDevice(2).deviceId]],
      ["population", ["default"]],
      ["role", ["root", "targets", "snapshot", "timestamp"]],
      ["digest", [digest, weightsDigest]],
      ["path", [`models/${MODEL}/${weightsDigest}.weights.safetensors`]],
      ["file", ["timestamp.json", "1.root.json"]],
      ["token", [await coordinator.mintEnrolmentToken(asPopulationName("default"))]],
      ["name", ["of-the-run", "another"]],
      ["lastEventId", ["1"]],
    ]),
    bytes: [model, new Uint8Array(0), new Uint8Array(64 * 1024).fill(8)],
    async end() {
      await coordinator.close();
      await first.end();
    },
  };
}

const roundId = (number: number): RoundId => asRoundId(`${TASK}-${number}`);

/** Rounds that ended, with updates that did not count, and devices, as rows: no device has to train for them. */
async function addHistory(dataDir: string): Promise<void> {
  const store = await openSqlMetadataStore({ path: join(dataDir, "tributary.db") });
  try {
    const task = asTaskName(TASK);
    for (const number of [2, 3, 4]) {
      const ended = {
        phase: "abandoned" as const,
        endedAt: 1_790_000_050_000,
        reason: "round/too-few-reports",
      };
      await store.rounds.insert(exampleRound(number, { id: roundId(number), task, ...ended }));
      const { deviceId } = exampleDevice(number);
      await store.devices.enrol(exampleDevice(number));
      const at = 1_790_000_040_000;
      await store.refusals.add({
        deviceId,
        roundId: roundId(number),
        code: "update/not-finite",
        detail: { index: 3 },
        at,
      });
      await store.suspicions.put([
        { task, deviceId, points: number, state: "suspected", roundId: roundId(2), at },
      ]);
    }
  } finally {
    await store.close();
  }
}

async function operate(
  { url, operatorToken }: Pick<Coordinator, "url" | "operatorToken">,
  method: string,
  path: string,
  body: object | Uint8Array<ArrayBuffer>,
): Promise<unknown> {
  const bytes = body instanceof Uint8Array;
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${operatorToken}`,
      "content-type": bytes ? "application/octet-stream" : "application/json",
    },
    body: bytes ? body : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}
