import { expect, test } from "vitest";

const now = (): number => performance.timeOrigin + performance.now();

test("a worker that trains without a pause hears a touch before its next step, and goes on when the page is quiet", async () => {
  const worker = new Worker(new URL("./busy-worker.ts", import.meta.url), { type: "module" });
  const ask = (): Promise<readonly number[]> =>
    new Promise((resolve) => {
      worker.addEventListener("message", ({ data }) => resolve(data as number[]), { once: true });
      worker.postMessage("begun");
    });
  const stepsAfter = async (sinceMs: number, count: number): Promise<number> => {
    for (;;) {
      const after = (await ask()).filter((at) => at > sinceMs).length;
      if (after >= count) return after;
    }
  };
  try {
    await stepsAfter(0, 5);
    for (let touch = 0; touch < 5; touch++) {
      const touchedAtMs = now();
      worker.postMessage({ busy: true });
      // Two round trips: whatever step was under way is over, and the touch was heard.
      await ask();
      const heardAtMs = now();
      await ask();
      const begun = await ask();
      // One may have begun while the message was on its way.
      expect(begun.filter((at) => at > touchedAtMs).length).toBeLessThanOrEqual(1);
      expect(begun.filter((at) => at > heardAtMs)).toEqual([]);
      worker.postMessage({ busy: false });
      await stepsAfter(heardAtMs, 2);
    }
  } finally {
    worker.terminate();
  }
});
