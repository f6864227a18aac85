import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { endOnRequest } from "../../src/fleet/end-on-request.ts";

const thread = (code: string): Worker => new Worker(code, { eval: true });

test("a thread is asked to close, or ended where it does not", async () => {
  const polite = thread('require("worker_threads").parentPort.once("message", () => {})');
  const deaf = thread("setInterval(() => {}, 1000)");
  const ends = [polite, deaf].map((worker) => endOnRequest(worker, 1_000));
  await Promise.all(ends.map((end) => end()));
  expect([polite.threadId, deaf.threadId]).toEqual([-1, -1]);
});

test("a thread that ended by itself before keeps nobody waiting", async () => {
  const crashed = thread('throw new Error("out of luck")');
  crashed.on("error", () => undefined);
  const end = endOnRequest(crashed);
  await new Promise((resolve) => crashed.once("exit", resolve));
  await end();
});
