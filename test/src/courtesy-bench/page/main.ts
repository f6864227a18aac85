/** A page that draws each frame while its worker trains, or does not. */
import type { Participation, Runtime } from "@tributary/runtime";
import type { TrainingDiagnosis } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/browser";

export interface CourtesyBench {
  open(options: { readonly model: string; readonly task: string; readonly examples: number }): Promise<void>;
  /** Takes part, and waits for the first step of a training. */
  train(): Promise<void>;
  rest(): Promise<void>;
  /** Milliseconds from frame to frame, as the page sees them. */
  frames(durationMs: number): Promise<number[]>;
  training(): Promise<TrainingDiagnosis | undefined>;
}

const context = document.querySelector("canvas")!.getContext("2d")!;
let runtime: Runtime;
let task: string;
let participation: Participation | undefined;

const bench: CourtesyBench = {
  async open(options) {
    task = options.task;
    runtime = await createRuntime({
      coordinator: location.origin,
      trust: { root: new URL("/root.json", location.origin) },
      token: "good-token",
    });
    const model = await runtime.model(options.model);
    await model.examples.addAll(
      Array.from({ length: options.examples }, (_, at) => ({
        image: Uint8Array.from({ length: 784 }, (__, pixel) => (at * 31 + pixel * 7) % 256),
        label: at % 10,
      })),
    );
  },
  async train() {
    participation = runtime.participate({ consent: true, task });
    for await (const event of participation.events()) {
      if (event.type === "progress") return;
      if (event.type === "failed") throw new Error(`no training: ${event.code}`);
    }
    throw new Error("the participation ended before a training");
  },
  rest: async () => await participation?.stop(),
  frames: (durationMs) =>
    new Promise((resolve) => {
      const deltas: number[] = [];
      const startedAtMs = performance.now();
      let before = startedAtMs;
      let turn = 0;
      const frame = (): void => {
        const now = performance.now();
        deltas.push(now - before);
        before = now;
        turn += 1;
        context.clearRect(0, 0, 320, 160);
        context.fillRect((turn * 3) % 320, 40, 40, 40);
        if (now - startedAtMs < durationMs) requestAnimationFrame(frame);
        else resolve(deltas.slice(1));
      };
      requestAnimationFrame(frame);
    }),
  training: async () => (await runtime.diagnose()).training,
};
Object.assign(globalThis, { courtesy: bench });
