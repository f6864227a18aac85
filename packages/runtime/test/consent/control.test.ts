import { expect, test } from "vitest";
import { consentControl } from "../../src/consent/control.ts";
import { statusWords } from "../../src/consent/words.ts";
import type { Consents } from "../../src/consent.ts";
import { eventStream } from "../../src/event-stream.ts";
import type { Participation, ParticipationEvent, Runtime, RuntimeEvent } from "../../src/runtime.ts";

/** A runtime of which only taking part is of interest, told what happens by the test. */
class ScriptedRuntime {
  readonly log: string[] = [];
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();
  #ended: AbortController | undefined;

  readonly runtime = {
    participate: ({ consent, task }: { consent: Consents; task?: string }): Participation => {
      this.log.push(`participate ${words(consent)}${task === undefined ? "" : ` in ${task}`}`);
      const ended = new AbortController();
      this.#ended = ended;
      return {
        state: "waiting",
        events: () =>
          eventStream<ParticipationEvent>({
            ended: ended.signal,
            subscribe: (listener) =>
              this.#subscribe((event) => event.type === "participation" && listener(event.event)),
          }),
        consent: async (change: Partial<Consents>) => void this.log.push(`consent ${words(change)}`),
        stop: async () => {
          this.log.push("stop");
          ended.abort();
        },
      } as Participation;
    },
    events: () =>
      eventStream<RuntimeEvent>({
        ended: new AbortController().signal,
        subscribe: (listener) => this.#subscribe(listener),
      }),
  } as unknown as Runtime;

  #subscribe(listener: (event: RuntimeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  async tell(event: RuntimeEvent): Promise<void> {
    for (const listener of this.#listeners) listener(event);
    await settled();
  }
  async happens(event: ParticipationEvent): Promise<void> {
    await this.tell({ type: "participation", at: 0, event });
  }
  async giveUp(): Promise<void> {
    this.#ended!.abort();
    await settled();
  }
}

const words = ({ training, telemetry }: Partial<Consents>): string =>
  [training === true ? "training" : "", telemetry === true ? "telemetry" : ""].filter(Boolean).join("+");
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function memory(kept?: string) {
  const values = new Map(kept === undefined ? [] : [["tributary-consent", kept]]);
  return {
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
    kept: () => values.get("tributary-consent"),
  };
}

test("nothing is taken part in before a person said yes, and what they said is kept", () => {
  const { runtime, log } = new ScriptedRuntime();
  const storage = memory();
  const control = consentControl(runtime, { storage, task: "digits" });
  expect(control.status.state).toBe("off");
  expect(log).toEqual([]);
  let told = 0;
  const unsubscribe = control.subscribe(() => told++);
  control.change({ training: true });
  expect(log).toEqual(["participate training in digits"]);
  expect(storage.kept()).toBe('{"training":true,"telemetry":false}');
  control.change({ telemetry: true });
  control.change({ training: false });
  expect(log.slice(1)).toEqual(["consent training+telemetry", "consent telemetry"]);
  control.change({ telemetry: false });
  expect(log.at(-1)).toBe("stop");
  expect(control.status).toEqual({ state: "off", last: undefined });
  expect(told).toBeGreaterThanOrEqual(4);
  unsubscribe();
  const before = told;
  control.change({ training: true });
  expect(told).toBe(before);
  expect(log.at(-1)).toBe("participate training in digits");
});

test("what was said on the last visit holds at once; what cannot be read is no consent", () => {
  const first = new ScriptedRuntime();
  expect(
    consentControl(first.runtime, { storage: memory('{"training":true,"telemetry":true}') }).consents,
  ).toEqual({
    training: true,
    telemetry: true,
  });
  expect(first.log).toEqual(["participate training+telemetry"]);
  for (const kept of ["yes", "{", "null", '{"training":"true"}', "[]"]) {
    const { runtime, log } = new ScriptedRuntime();
    expect(consentControl(runtime, { storage: memory(kept) }).status.state, kept).toBe("off");
    expect(log).toEqual([]);
  }
});

test("a runtime has one control, whoever asks", () => {
  const { runtime } = new ScriptedRuntime();
  expect(consentControl(runtime, { storage: memory() })).toBe(consentControl(runtime));
});

test("says what happens: rounds, connection, other tabs, and that the device gave up", async () => {
  const scripted = new ScriptedRuntime();
  const control = consentControl(scripted.runtime, { storage: memory() });
  const said = (): string => statusWords(control.status);
  expect(said()).toBe("Off. Nothing about your examples is sent.");
  control.change({ training: true });
  expect(said()).toBe("Waiting for the next round.");
  await scripted.happens({ type: "state", at: 0, state: "training" });
  await scripted.happens({ type: "progress", at: 0, roundId: "r", step: 3, steps: 9, loss: 1 });
  expect(said()).toBe("Training, step 3 of 9.");
  await scripted.happens({ type: "state", at: 0, state: "reporting" });
  expect(said()).toBe("Sending what the training changed.");
  await scripted.happens({ type: "uploaded", at: 0, roundId: "r", sizeBytes: 1, masked: false });
  await scripted.happens({ type: "state", at: 0, state: "waiting" });
  expect(said()).toMatch(/its coordinator sees what this device sent/);
  await scripted.happens({ type: "outcome", at: 0, roundId: "r", result: "committed", version: 4 });
  expect(said()).toBe("Version 4 has learned from you too.");
  await scripted.tell({ type: "connection", at: 0, state: "offline" });
  expect(control.status.state).toBe("offline");
  await scripted.tell({ type: "connection", at: 0, state: "connected" });
  expect(said()).toBe("Version 4 has learned from you too.");
  await scripted.tell({ type: "problem", at: 0, code: "runtime/locked", message: "", retryable: true });
  expect(said()).toMatch(/^Another tab/);
  // A page that has no part in it is not offline.
  await scripted.tell({ type: "connection", at: 0, state: "offline" });
  expect(control.status.state).toBe("other-tab");
  await scripted.giveUp();
  expect(control.status.state).toBe("ended");
  control.change({ training: false });
  control.change({ training: true });
  expect(scripted.log.filter((line) => line.startsWith("participate"))).toHaveLength(2);
});

test("what is forgotten takes the answer along: the next visit is asked anew", async () => {
  const scripted = new ScriptedRuntime();
  const storage = memory();
  const control = consentControl(scripted.runtime, { storage });
  control.change({ training: true, telemetry: true });
  await scripted.tell({ type: "forgotten", at: 1 });
  expect(control.consents).toEqual({ training: false, telemetry: false });
  expect(control.status.state).toBe("off");
  expect(scripted.log).toEqual(["participate training+telemetry", "stop"]);
  expect(storage.kept()).toBe("");
  expect(consentControl(new ScriptedRuntime().runtime, { storage }).consents.training).toBe(false);
  const removed: string[] = [];
  const other = new ScriptedRuntime();
  const removing = { ...memory('{"training":true}'), removeItem: (key: string) => void removed.push(key) };
  consentControl(other.runtime, { storage: removing });
  await other.tell({ type: "forgotten", at: 1 });
  expect(removed).toEqual(["tributary-consent"]);
});
