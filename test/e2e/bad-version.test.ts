import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { openEnrolmentTokens } from "@tributary/coordinator";
import { asPopulationName, encodeHex, seededRandom } from "@tributary/core";
import { armOf, type RolloutView } from "@tributary/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startCoordinator, temporaryFolder, type CoordinatorProcess } from "../src/coordinator-process.ts";
import type { AnsweringDevice, AnsweringProcess } from "../src/fleet/answering-process.ts";
import { modelWithTable } from "../src/fleet/crashing-model.ts";

const PROCESS = join(import.meta.dirname, "../src/fleet/answering-process.ts");
const [TREATED, CONTROL] = [6, 10];
const ROLLOUT = "bad";

let folder: ReturnType<typeof temporaryFolder>;
let coordinator: CoordinatorProcess;
let children: ChildProcess[];

beforeEach(async () => {
  folder = temporaryFolder();
  children = [];
  coordinator = await startCoordinator({ dataDir: join(folder.path, "coordinator") });
});
afterEach(async () => {
  for (const child of children) child.kill();
  await coordinator.stop();
  folder.remove();
});

async function ask<Answer>(path: string, body?: unknown): Promise<Answer> {
  const isFile = body instanceof Uint8Array;
  const response = await fetch(`${coordinator.url}/v1/models/digits/${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      authorization: `Bearer ${coordinator.operatorToken}`,
      ...(body === undefined
        ? {}
        : { "content-type": isFile ? "application/octet-stream" : "application/json" }),
    },
    ...(body === undefined
      ? {}
      : { body: isFile ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
  });
  const answer = (await response.json()) as Answer;
  if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

/** Whom the 10 % step draws, and whom it leaves: a cut of a larger fleet. */
async function drawn(): Promise<{ readonly treated: string[]; readonly control: string[] }> {
  const random = seededRandom("bad version");
  const rollout = {
    rollout: ROLLOUT,
    arms: [{ name: "new", version: 2 }],
    shares: [{ tags: [], share: 1_000 }],
    devices: [],
  };
  const [treated, control]: [string[], string[]] = [[], []];
  while (treated.length < TREATED) {
    const installation = encodeHex(Uint8Array.from({ length: 16 }, () => Math.floor(random.next() * 256)));
    const arm = await armOf(rollout as never, { installation, tags: [] });
    if (arm !== undefined) treated.push(installation);
    else if (control.length < CONTROL) control.push(installation);
  }
  return { treated, control };
}

async function told<Message>(child: ChildProcess): Promise<Message> {
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`a process of devices ended with ${code}`);
  });
  ended.catch(() => {});
  return ((await Promise.race([once(child, "message"), ended])) as [Message])[0];
}

test("a version whose sessions fail is stopped at the 10 % step and taken back unattended, without a download", async () => {
  await ask("versions", modelWithTable("good", [0, 0, 0, 0.5]));
  await ask("versions?release=false", modelWithTable("good", [0, 0, 0, 1]));
  const root = Buffer.from(await (await fetch(`${coordinator.url}/v1/tuf/1.root.json`)).arrayBuffer());
  const token = await openEnrolmentTokens(coordinator.dataDir).mint(asPopulationName("default"), {
    maxUses: TREATED + CONTROL,
  });
  const { treated, control } = await drawn();
  const all = [...treated, ...control];
  for (const half of [0, 1]) {
    const options: AnsweringProcess = {
      coordinator: coordinator.url,
      root: root.toString("base64"),
      token,
      folder: folder.path,
      installations: all.filter((_, i) => i % 2 === half),
    };
    children.push(fork(PROCESS, [JSON.stringify(options)], { execArgv: ["--conditions=@tributary/source"] }));
  }
  await Promise.all(children.map((child) => told(child)));

  // A gate has something to decide by once a device has told how it fares, which it does within ten seconds.
  const start = {
    rollout: ROLLOUT,
    arms: [{ name: "new", version: 2 }],
    steps: [{ percent: 10, minimumMs: 1_000, minimumDevices: 5 }, { percent: 100 }],
    gates: [{ metric: "errors" }, { metric: "crashes" }],
    observeMs: 1_000,
  };
  await vi.waitFor(() => ask("rollouts", start), { timeout: 40_000, interval: 500 });
  const view = await vi.waitFor(
    async () => {
      const now = await ask<RolloutView>(`rollouts/${ROLLOUT}`);
      expect(now.state).not.toBe("running");
      return now;
    },
    { timeout: 120_000, interval: 250 },
  );
  expect(view).toMatchObject({
    state: "rolled-back",
    reason: { code: "gate" },
    steps: [{ percent: 10, state: "not-reached" }, { state: "not-reached" }],
  });
  const tellAll = async (): Promise<AnsweringDevice[]> => {
    const answers = children.map((child) => told<AnsweringDevice[]>(child));
    for (const child of children) child.send("tell");
    return (await Promise.all(answers)).flat();
  };
  const of = (devices: readonly AnsweringDevice[], some: readonly string[]) =>
    devices.filter(({ installation }) => some.includes(installation));
  // The push takes its time, and devices to answer once more.
  await vi.waitFor(
    async () => {
      const devices = of(await tellAll(), treated);
      expect(devices).toHaveLength(TREATED);
      for (const device of devices)
        expect(device).toMatchObject({ versions: [1, 2, 1], downloadedBytes: 0, lastAnswer: "answered" });
    },
    { timeout: 20_000, interval: 100 },
  );
  const others = of(await tellAll(), control);
  expect(others).toHaveLength(CONTROL);
  for (const device of others) expect(device).toMatchObject({ versions: [1], lastAnswer: "answered" });
}, 180_000);
