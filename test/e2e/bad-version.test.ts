import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createApiClient, type ApiClient, type RolloutView } from "@tributary/api-client";
import { openEnrolmentTokens } from "@tributary/coordinator";
import { asPopulationName, encodeHex, seededRandom } from "@tributary/core";
import { armOf, parseTaskSpec } from "@tributary/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startCoordinator, temporaryFolder, type CoordinatorProcess } from "../src/coordinator-process.ts";
import type { AnsweringDevice, AnsweringProcess, DeviceToBe } from "../src/fleet/answering-process.ts";
import type { FatalDevice, FatalProcess } from "../src/fleet/fatal-process.ts";
import { modelOfTenths } from "../src/fleet/picture-model.ts";
import { withTable } from "../src/fleet/table-model.ts";

// Versions that fail, that answer worse and that end the process, each taken back unattended: a coordinator and devices in processes of
// their own.

const [GOOD, FAILING, WORSE] = [1, 2, 3];
const GOOD_TABLE = [0, 0, 0, 0.5] as const;
/** That the worse version takes for another, of ten. */
const MISTAKEN = 3;
const EVERY_CLASS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const POPULATION = "people";
const [TREATED, CONTROL] = [6, 24];
/** Devices of each kind that tell under their own names how versions fare. */
const [TREATED_TELL, CONTROL_TELL] = [6, 10];
/** Of sums over devices, that of the fewest. */
const COHORT = 5;
const TELEMETRY_TASK = "how-it-answers";
/** Of each rollout, what its first step draws: a tenth; or, where sums decide, what fills half as many places more than a cohort has. */
const SHARES = {
  failing: 1_000,
  worse: Math.ceil((10_000 * 1.5 * COHORT) / (TREATED + CONTROL)),
};

const folder = temporaryFolder();
const children = new Set<ChildProcess>();
let coordinator: CoordinatorProcess;
let api: ApiClient;
let root: string;
let treated: DeviceToBe[];
let control: DeviceToBe[];
let fleet: ChildProcess[];

beforeAll(async () => {
  coordinator = await startCoordinator({
    dataDir: join(folder.path, "coordinator"),
    args: ["--health-seconds", "1"],
  });
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", withTable(modelOfTenths(), GOOD_TABLE));
  const failing = withTable(modelOfTenths(), [0, 0, 0, 1]);
  await api.publishModel("digits", failing, { release: false });
  const worse = withTable(modelOfTenths({ [MISTAKEN]: -1_000 }), GOOD_TABLE);
  await api.publishModel("digits", worse, { release: false });
  root = Buffer.from(await (await fetch(`${coordinator.url}/v1/tuf/1.root.json`)).arrayBuffer()).toString(
    "base64",
  );
  ({ treated, control } = await drawn());
  const all = [...treated, ...control];
  const token = await mint(POPULATION, all.length);
  fleet = [0, 1].map((half) =>
    start("answering-process.ts", {
      coordinator: coordinator.url,
      root,
      token,
      folder: folder.path,
      population: POPULATION,
      minimumCohort: 3,
      devices: all.filter((_, i) => i % 2 === half),
    } satisfies AnsweringProcess),
  );
  expect(await Promise.all(fleet.map((child) => told(child)))).toEqual(["ready", "ready"]);
}, 60_000);
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await coordinator.stop();
  folder.remove();
});

const mint = (population: string, maxUses: number): Promise<string> =>
  openEnrolmentTokens(coordinator.dataDir).mint(asPopulationName(population), { maxUses });

function start(file: string, options: unknown): ChildProcess {
  const path = join(import.meta.dirname, "../src/fleet", file);
  const child = fork(path, [JSON.stringify(options)], { execArgv: ["--conditions=@tributary/source"] });
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}

/** Its next word; undefined where it ended instead. */
async function told<Message>(child: ChildProcess): Promise<Message | undefined> {
  const over = new AbortController();
  const { signal } = over;
  const ended = once(child, "exit", { signal }).then(() => []);
  try {
    return ((await Promise.race([once(child, "message", { signal }), ended])) as [Message?])[0];
  } finally {
    over.abort();
  }
}

/** Whom the first steps of both rollouts draw, and whom they leave: a cut of a larger fleet. Half of them have pictures of every class. */
async function drawn(): Promise<{ readonly treated: DeviceToBe[]; readonly control: DeviceToBe[] }> {
  const random = seededRandom("bad versions");
  const isDrawn = async (rollout: keyof typeof SHARES, installation: string): Promise<boolean> => {
    const cut = {
      rollout,
      arms: [{ name: "new", version: FAILING }],
      shares: [{ tags: [], share: SHARES[rollout] }],
      devices: [],
    };
    return (await armOf(cut as never, { installation, tags: [] })) !== undefined;
  };
  const [treated, control]: [DeviceToBe[], DeviceToBe[]] = [[], []];
  while (treated.length < TREATED || control.length < CONTROL) {
    const installation = encodeHex(Uint8Array.from({ length: 16 }, () => Math.floor(random.next() * 256)));
    const byBoth = await Promise.all([isDrawn("failing", installation), isDrawn("worse", installation)]);
    if (byBoth[0] !== byBoth[1]) continue;
    const [some, most, tell] = byBoth[0]
      ? [treated, TREATED, TREATED_TELL]
      : [control, CONTROL, CONTROL_TELL];
    if (some.length === most) continue;
    const classes = some.length % 2 === 0 ? EVERY_CLASS : EVERY_CLASS.filter((each) => each !== MISTAKEN);
    some.push({ installation, classes, tellsHealth: some.length < tell });
  }
  return { treated, control };
}

/** What the rollout came to, by itself. */
const ended = (rollout: string): Promise<RolloutView> =>
  vi.waitFor(
    async () => {
      const now = await api.rollout("digits", rollout);
      expect(now.state).not.toBe("running");
      return now;
    },
    { timeout: 120_000, interval: 100 },
  );

/** That the treated ran these versions one after the other, and all others but the good one nothing. */
async function expectVersions(...versions: readonly number[]): Promise<void> {
  await vi.waitFor(
    async () => {
      const answers = fleet.map((child) => told<AnsweringDevice[]>(child));
      for (const child of fleet) child.send("tell");
      const devices = new Map(
        (await Promise.all(answers)).flat().map((device) => [device!.installation, device!]),
      );
      for (const { installation } of treated)
        expect(devices.get(installation)).toMatchObject({
          versions,
          downloadedBytes: 0,
          lastAnswer: "answered",
        });
      for (const { installation } of control)
        expect(devices.get(installation)).toMatchObject({ versions: [GOOD], lastAnswer: "answered" });
    },
    { timeout: 20_000, interval: 100 },
  );
}

test.concurrent("a version whose sessions fail is stopped at the 10 % step and taken back unattended, without a download", async () => {
  const spec = {
    rollout: "failing",
    population: POPULATION,
    arms: [{ name: "new", version: FAILING }],
    steps: [{ percent: 10, minimumMs: 1_000, minimumDevices: 5 }, { percent: 100 }],
    gates: [{ metric: "errors" }, { metric: "crashes" }],
    observeMs: 1_000,
  };
  // A gate has something to decide by once a device has told how it fares.
  await vi.waitFor(() => api.startRollout("digits", spec as never), { timeout: 20_000, interval: 100 });
  expect(await ended("failing")).toMatchObject({
    state: "rolled-back",
    reason: { code: "gate" },
    steps: [{ percent: 10, state: "not-reached" }, { state: "not-reached" }],
  });
  // The push takes its time, and devices to answer once more.
  await expectVersions(GOOD, FAILING, GOOD);
}, 120_000);

test.concurrent("a version that ends the process is given up after two deaths, the one before runs again, and the coordinator counts it", async () => {
  const fatalWeight = 1_234.5;
  await api.publishModel("fatal", modelOfTenths());
  const options: FatalProcess = {
    coordinator: coordinator.url,
    root,
    token: await mint("default", 1),
    dataDir: join(folder.path, "fatal-device"),
    model: "fatal",
    fatalWeight,
  };
  const first = start("fatal-process.ts", options);
  expect(await told<FatalDevice>(first)).toEqual({ version: 1, refused: null });
  const died = once(first, "exit");
  await api.publishModel("fatal", modelOfTenths({ 0: fatalWeight }));
  expect(await died).toEqual([null, "SIGKILL"]);

  // Whoever starts it again finds the version before; the new one gets one more chance.
  const second = start("fatal-process.ts", options);
  const diedAgain = once(second, "exit");
  expect([{ version: 1, refused: null }, undefined]).toContainEqual(await told<FatalDevice>(second));
  expect(await diedAgain).toEqual([null, "SIGKILL"]);

  const third = start("fatal-process.ts", options);
  expect(await told<FatalDevice>(third)).toMatchObject({ version: 1 });
  await vi.waitFor(
    async () => {
      const answer = told<FatalDevice>(third);
      third.send("tell");
      expect(await answer).toMatchObject({
        version: 1,
        refused: { version: 2, code: "runtime/version-crashed" },
      });
    },
    { timeout: 20_000, interval: 100 },
  );
  const health = await vi.waitFor(
    async () => {
      const found = (await api.health("fatal")).find(({ version }) => version === 2);
      expect(found).toBeDefined();
      return found!;
    },
    { timeout: 30_000, interval: 100 },
  );
  expect(health).toMatchObject({ version: 2, devices: 1, crashes: 1 });
}, 120_000);

test("a version that is ten points less accurate on half of the devices is stopped at the first step by masked sums, and taken back unattended", async () => {
  await api.createTask(
    parseTaskSpec({
      name: TELEMETRY_TASK,
      model: "digits",
      population: POPULATION,
      kind: "telemetry",
      telemetry: ["feedback"],
      rounds: 1_000,
      // Once all have told, there is nothing new for a while: such a round is soon given up, and another one begun.
      cohort: { goalCount: COHORT, minimumCount: COHORT, overSelection: 1, trainDeadlineMs: 1_000 },
      retries: { maxConsecutiveFailures: null, backoffMs: 100, maxBackoffMs: 1_000 },
      secureAggregation: { mode: "on", minimumCohort: 3, phaseDeadlineMs: 10_000 },
    }),
  );
  const spec = {
    rollout: "worse",
    population: POPULATION,
    arms: [{ name: "new", version: WORSE }],
    // Before the step may pass there is more than enough to tell.
    steps: [{ percent: 10, minimumMs: 0, minimumCohorts: 50 }, { percent: 100 }],
    gates: [{ metric: "accuracy", margin: 0.01 }],
    telemetryTask: TELEMETRY_TASK,
  };
  await api.startRollout("digits", spec as never);
  const view = await ended("worse");
  expect(view).toMatchObject({
    state: "rolled-back",
    reason: { code: "gate" },
    arms: [{ state: "withdrawn" }],
    steps: [{ percent: 10, state: "not-reached" }, { state: "not-reached" }],
  });
  // Of what the treated answered a twentieth was wrong, give or take who was in their cohorts; the coordinator knows no more.
  const [comparison] = view.gates[0]!.comparisons;
  expect(comparison!.control).toBe(0);
  expect(comparison!.treated).toBeGreaterThan(0.02);
  expect(comparison!.treated).toBeLessThan(0.08);
  await expectVersions(GOOD, FAILING, GOOD, WORSE, GOOD);
}, 180_000);
