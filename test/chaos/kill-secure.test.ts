import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createApiClient, subscribeEvents, type ApiClient } from "@tributary/api-client";
import { buildLinear } from "@tributary/onnx";
import { SECURE_STEPS, type SecureStepName } from "@tributary/protocol";
import type { ParticipationEvent } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startCoordinator, temporaryFolder, type CoordinatorProcess } from "../src/coordinator-process.ts";
import { mintToken } from "../src/enrolment-token.ts";
import { freePort } from "../src/free-port.ts";
import { giveDigits } from "../src/secure-device.ts";

/** Holds the first member that comes to a step until it is let go; the others go on. */
const gate = vi.hoisted(() => ({
  step: undefined as string | undefined,
  reached: () => {},
  held: undefined as PromiseWithResolvers<void> | undefined,
  /** Sessions that were begun: each for an update of its own. */
  sessions: 0,
}));

vi.mock("@tributary/secagg", async (importOriginal) => {
  const original = await importOriginal<typeof import("@tributary/secagg")>();
  const pass = async (step: string): Promise<void> => {
    if (gate.step !== step) return;
    gate.step = undefined;
    gate.held = Promise.withResolvers();
    gate.reached();
    await gate.held.promise;
  };
  type Client = InstanceType<typeof original.SecAggClient>;
  class SecAggClient extends original.SecAggClient {
    constructor(options: ConstructorParameters<typeof original.SecAggClient>[0]) {
      super(options);
      gate.sessions += 1;
    }
    override async advertise(...given: Parameters<Client["advertise"]>) {
      await pass("advertise");
      return super.advertise(...given);
    }
    override async shareKeys(...given: Parameters<Client["shareKeys"]>) {
      await pass("share");
      return super.shareKeys(...given);
    }
    override async maskInput(...given: Parameters<Client["maskInput"]>) {
      await pass("mask");
      return super.maskInput(...given);
    }
    override async signSurvivors(...given: Parameters<Client["signSurvivors"]>) {
      await pass("sign");
      return super.signSurvivors(...given);
    }
    override async unmask(...given: Parameters<Client["unmask"]>) {
      await pass("unmask");
      return super.unmask(...given);
    }
  }
  return { ...original, SecAggClient };
});

const DEVICES = 4;
/** Before all masked vectors are out, and with all of them in; every step in the full run. */
const STEPS: readonly SecureStepName[] =
  process.env["TRIBUTARY_TEST_FULL"] === "1" ? SECURE_STEPS : ["mask", "unmask"];
const opened = new AsyncDisposableStack();
const folder = temporaryFolder();
const uploaded = new Map<string, number>();
let coordinator: CoordinatorProcess;
let api: ApiClient;
let port: number;

const start = async (): Promise<void> => {
  coordinator = await startCoordinator({ dataDir: join(folder.path, "coordinator"), port });
};

beforeAll(async () => {
  opened.defer(() => folder.remove());
  port = await freePort();
  await start();
  opened.defer(async () => void (await coordinator.stop()));
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", buildLinear({ seed: "kill secure" }));
  const root = new Uint8Array(await (await fetch(`${coordinator.url}/v1/tuf/1.root.json`)).arrayBuffer());
  for (let i = 0; i < DEVICES; i++) {
    const runtime = await createRuntime({
      coordinator: coordinator.url,
      trust: { root, minimumCohort: 3 },
      token: () => mintToken(coordinator.dataDir),
      dataDir: join(folder.path, `device-${i}`),
    });
    opened.defer(() => runtime.close());
    await giveDigits(runtime, i);
    const participation = runtime.participate({ consent: true, task: "digits" });
    void count(participation.events());
  }
});
afterAll(() => {
  gate.held?.resolve();
  return opened.disposeAsync();
});

async function count(events: AsyncIterable<ParticipationEvent>): Promise<void> {
  for await (const event of events)
    if (event.type === "uploaded") uploaded.set(event.roundId, (uploaded.get(event.roundId) ?? 0) + 1);
}

/** How often each device has given to sums on a version, by its own count. */
async function contributionsOn(version: number): Promise<number[]> {
  return Promise.all(
    Array.from({ length: DEVICES }, async (_, i) => {
      const settings = join(folder.path, `device-${i}`, "settings");
      const file = (await readdir(settings)).find((name) => name.startsWith("contributions"));
      if (file === undefined) return 0;
      const stored = JSON.parse(await readFile(join(settings, file), "utf8")) as {
        version: number;
        count: number;
      };
      return stored.version === version ? stored.count : 0;
    }),
  );
}

/** Resolves with the version that the next round commits. */
function nextCommit(): { readonly version: Promise<number>; close(): void } {
  const { promise, resolve } = Promise.withResolvers<number>();
  const subscription = subscribeEvents(coordinator.url, {
    token: coordinator.operatorToken,

    onEvent: (event) => {
      if (event.type === "round" && event.data.phase === "committed") resolve(event.data.version!);
    },
  });
  return { version: promise, close: () => subscription.close() };
}

/** Masked vectors that are out when a member is held at a step: all others' at "mask", everyone's afterwards. */
const masksOutAt: { readonly [Step in SecureStepName]: number } = {
  advertise: 0,
  share: 0,
  mask: DEVICES - 1,
  sign: DEVICES,
  unmask: DEVICES,
};

test("kill -9 of the coordinator in a step of a secure cohort: the cohort is abandoned and never resumed, what was masked is spent, and training goes on", async () => {
  const killed: string[] = [];
  gate.step = STEPS[0];
  let reached = Promise.withResolvers<void>();
  gate.reached = () => reached.resolve();
  await api.createTask({
    name: "digits",
    model: "digits",
    local: { epochs: 1, batchSize: 16, learningRate: 0.05, maxExamples: 64 },
    cohort: { goalCount: DEVICES, overSelection: 1, trainDeadlineMs: 20_000 },
    secureAggregation: { minimumCohort: 3, phaseDeadlineMs: 20_000 },
    // So that the next step is chosen before the next round comes to it.
    pauseBetweenRoundsMs: 300,
  });
  for (const [at, step] of STEPS.entries()) {
    await reached.promise;
    const [round] = (await api.rounds("digits", { limit: 1 })).rounds;
    const { id, baseVersion } = round!;
    await vi.waitFor(() => expect(uploaded.get(id) ?? 0, step).toBe(masksOutAt[step]), { timeout: 15_000 });
    await coordinator.kill();
    killed.push(id);
    const sessions = gate.sessions;
    const spent = await contributionsOn(baseVersion);
    // A device counts before it masks, so that no crash of its own makes it forget.
    expect(spent, step).toEqual(Array.from({ length: DEVICES }, () => Number(masksOutAt[step] > 0)));

    await start();
    const commit = nextCommit();
    gate.held!.resolve();
    expect(await api.round(id)).toMatchObject({
      phase: "abandoned",
      reason: "round/interrupted",
      version: null,
      secure: { private: false },
    });
    expect(await readdir(join(coordinator.dataDir, "uploads"))).toEqual([]);
    expect(await commit.version).toBe(baseVersion + 1);
    commit.close();
    // Whoever had masked has trained anew, for another session; nobody gave more often than it may.
    expect(gate.sessions).toBeGreaterThanOrEqual(sessions + DEVICES);
    expect(await contributionsOn(baseVersion)).toEqual(spent.map((each) => each + 1));
    reached = Promise.withResolvers();
    gate.step = STEPS[at + 1];
  }
  for (const id of killed) {
    expect(await api.round(id)).toMatchObject({ phase: "abandoned", reason: "round/interrupted" });
  }
});
