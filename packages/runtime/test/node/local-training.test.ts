import type { Offer } from "@tributary/protocol";
import type { Participation, ParticipateOptions, ParticipationEvent, Runtime } from "@tributary/runtime";
import { expect, test } from "vitest";
import { nodeRoom, type NodeRoom } from "../fixtures/node-room.ts";
import type { Site } from "../fixtures/site.ts";

let site: Site;
let begin: NodeRoom["start"];
nodeRoom((room) => ({ site, start: begin } = room));

async function start(options: Partial<ParticipateOptions> = {}): Promise<{
  runtime: Runtime;
  participation: Participation;
  events: AsyncIterator<ParticipationEvent>;
}> {
  const runtime = await begin();
  const digits = await runtime.model("digits");
  if ((await digits.examples.count()) === 0) {
    await digits.examples.addAll(
      Array.from({ length: 40 }, (_, at) => ({
        image: Uint8Array.from({ length: 784 }, (__, pixel) => (at * 31 + pixel * 7) % 256),
        label: at % 10,
      })),
    );
  }
  const participation = runtime.participate({ consent: true, task: "digits-task", ...options });
  return { runtime, participation, events: participation.events()[Symbol.asyncIterator]() };
}

async function next<Type extends ParticipationEvent["type"]>(
  events: AsyncIterator<ParticipationEvent>,
  type: Type,
): Promise<Extract<ParticipationEvent, { type: Type }>> {
  for (;;) {
    const { value } = await events.next();
    if (value?.type === type) return value as Extract<ParticipationEvent, { type: Type }>;
    if (value === undefined) throw new Error(`the events ended before "${type}"`);
  }
}

function offer(): { type: "offer" } & Offer {
  const { targets, versions } = site.repository;
  const planTarget = "models/digits/plans/digits-task/1.json";
  const weightsTarget = "models/digits/versions/1/weights.safetensors";
  return {
    type: "offer",
    task: "digits-task" as never,
    roundId: "round-1" as never,
    round: 1,
    baseVersion: 1 as never,
    planTarget,
    planDigest: targets.get(planTarget)!.sha256,
    weightsTarget,
    weightsDigest: targets.get(weightsTarget)!.sha256,
    trainDeadlineMs: Date.now() + 60_000,
    timestampVersion: versions.timestamp,
    trainingRound: 1,
  };
}

test("a training that is cut off goes on where it was in the same round, unless consent was taken back", async () => {
  await site.repository.releasePlan({ epochs: 400 });
  const { runtime, events } = await start({ dutyCycle: 0.5 });
  const first = await site.session();
  await first.next("check-in");
  first.send(offer());
  expect(await next(events, "progress")).toMatchObject({ step: 1, steps: 4000 });
  await next(events, "progress");
  await runtime.close();

  const again = await start();
  const second = await site.session();
  await second.next("check-in");
  second.send(offer());
  const { step } = await next(again.events, "progress");
  // How far it was depends on how long a write takes here.
  expect(step).toBeGreaterThan(1);
  await again.participation.stop();
  await again.runtime.close();

  const last = await start();
  const third = await site.session();
  await third.next("check-in");
  third.send(offer());
  expect((await next(last.events, "progress")).step).toBe(1);
  const { training } = await last.runtime.diagnose();
  expect(training!.steps).toBeGreaterThan(0);
  expect(training).toMatchObject({ dutyCycle: 1, pauses: {}, paused: [] });
});

test("examples that are held back are measured before and after, and only the page hears of them", async () => {
  await site.repository.releasePlan({ epochs: 5, learningRate: 0.01 });
  const { events } = await start({ holdBack: 0.25 });
  const session = await site.session();
  await session.next("check-in");
  session.send(offer());
  const { numExamples, heldBack } = await next(events, "trained");
  expect([numExamples, heldBack!.examples]).toEqual([30, 10]);
  expect(heldBack!.lossBefore).toBeGreaterThan(0);
  expect(heldBack!.lossAfter).not.toBe(heldBack!.lossBefore);
  expect(JSON.stringify(await session.next("ready"))).not.toContain("eldBack");
});

test("a device whose loss explodes says so by its code and sends nothing", async () => {
  await site.repository.releasePlan({ epochs: 20, learningRate: 50 });
  const { events } = await start();
  const session = await site.session();
  await session.next("check-in");
  session.send(offer());
  expect(await session.next("decline")).toMatchObject({
    roundId: "round-1",
    code: "federation/training-diverged",
  });
  expect(await next(events, "failed")).toMatchObject({ code: "federation/training-diverged" });
  expect(site.uploads.size).toBe(0);
});

test.each([{ dutyCycle: 0 }, { dutyCycle: 1.1 }, { holdBack: -0.1 }, { holdBack: 0.6 }])(
  "%j ends the participation, and a problem says why",
  async (options) => {
    await site.repository.releasePlan();
    const { runtime, participation } = await start();
    await participation.stop();
    const told = runtime.events()[Symbol.asyncIterator]();
    const refused = runtime.participate({ consent: true, ...options });
    for await (const _ of refused.events());
    expect(refused.state).toBe("stopped");
    for (;;) {
      const { value } = await told.next();
      if (value?.type !== "problem") continue;
      expect(value.message).toContain(`got ${Object.values(options)[0]}`);
      break;
    }
  },
);
