import { join } from "node:path";
import {
  asPopulationName,
  asRoundId,
  asTaskName,
  decodeBase64url,
  encodeBase64url,
  encodeHex,
  silentLogger,
  type RoundId,
} from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { deviceIdOf, enrolmentMessage, leafHash } from "@tributary/protocol";
import { openSqlMetadataStore } from "../../src/adapters/sql/sql-metadata-store.ts";
import { createCoordinator, type Coordinator } from "../../src/index.ts";
import { exampleDevice, exampleRound } from "../../src/testing/records.ts";
import { DeviceSocket, type TestIdentity } from "../device-socket.ts";
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
/** Which no task trains. */
const OTHER_MODEL = "letters";
const TASK = "digits-training";
const POPULATION = asPopulationName("default");

/** A coordinator with a model, a task that had rounds, a rollout, and devices; started anew, as one that runs for long is. */
export async function openContractRoom(): Promise<ContractRoom> {
  const first = await runningCoordinator();
  const model = buildLinear({ seed: 1 });
  const published = await operate(first, "POST", `/v1/models/${MODEL}/versions`, model);
  const { weightsDigest } = published as { weightsDigest: string };
  const next = buildLinear({ seed: 2 });
  await operate(first, "POST", `/v1/models/${MODEL}/versions?release=false`, next);
  await operate(first, "POST", `/v1/models/${OTHER_MODEL}/versions`, model);
  await operate(first, "POST", `/v1/models/${OTHER_MODEL}/versions?release=false`, next);
  // There is no disk so empty: it fires.
  await operate(first, "PUT", "/v1/alert-rules/space", {
    kind: "disk-almost-full",
    threshold: 1,
    severity: "critical",
  });
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
    openEnrolment: [POPULATION],
    // What a password costs is not what is looked at.
    env: { log: silentLogger, passwordCost: { logN: 4, r: 8, p: 1 } },
  });
  const identity = await enrol(coordinator);
  const socket = await DeviceSocket.connect(coordinator.url, identity);
  const { rollout } = (await operate(coordinator, "POST", `/v1/models/${MODEL}/rollouts`, {
    arms: [{ name: "b", version: 2 }],
    gates: [],
  })) as { rollout: string };
  const round = roundId(2);
  return {
    url: coordinator.url,
    operatorToken: coordinator.operatorToken,
    known: new Map<string, unknown[]>([
      ["model", [MODEL, MODEL, OTHER_MODEL]],
      ["task", [TASK]],
      ["rollout", [rollout]],
      ["version", [1, 2, "1", "2"]],
      ["roundId", [round]],
      ["round", [round]],
      ["channel", ["beta", "stable"]],
      // Whether a rollout goes on is decided by what devices tell, and there are none that do.
      ["gates", [[]]],
      ["alias", ["reviewed", "champion"]],
      ["device", [exampleDevice(2).deviceId]],
      ["population", [POPULATION]],
      ["role", ["root", "targets", "snapshot", "timestamp"]],
      ["digest", [digest, weightsDigest]],
      ["path", [`models/${MODEL}/${weightsDigest}.weights.safetensors`]],
      ["file", ["timestamp.json", "1.root.json"]],
      ["token", [await coordinator.mintEnrolmentToken(POPULATION)]],
      ["name", ["of-the-run", "another"]],
      ["rule", ["of-the-run"]],
      ["policy", ["of-the-run"]],
      ["of", [[TASK, `${MODEL}@1`]]],
      ["query", ["loss < 10 or state = paused"]],
      ["lastEventId", ["1"]],
      ["password", [PASSWORD]],
      ["current", [PASSWORD]],
      ["code", [new URLSearchParams(new URL(coordinator.setupUrl!).hash.slice(1)).get("code")]],
      ["leafHash", [encodeHex(leafHash(identity.certificate))]],
      ["treeSize", [1]],
      ["first", [1]],
      ["second", [1]],
      ["If-Match", ["*"]],
    ]),
    bytes: [model, new Uint8Array(0), new Uint8Array(64 * 1024).fill(8)],
    async end() {
      socket.socket.terminate();
      await coordinator.close();
      await first.end();
    },
  };
}

/** One that every account of the run has. */
const PASSWORD = "correct horse battery";

/** A device that is here while the run lasts: its certificate is the log's first. */
async function enrol(coordinator: Coordinator): Promise<TestIdentity> {
  const token = await coordinator.mintEnrolmentToken(POPULATION);
  const keys = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey));
  const sign = async (message: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.sign("Ed25519", keys.privateKey, message));
  const { certificate } = (await operate(coordinator, "POST", `/v1/populations/${POPULATION}/enrolments`, {
    token,
    publicKey: encodeBase64url(publicKey),
    proof: encodeBase64url(await sign(enrolmentMessage(token))),
  })) as { certificate: string };
  return { deviceId: await deviceIdOf(publicKey), certificate: decodeBase64url(certificate), sign };
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
