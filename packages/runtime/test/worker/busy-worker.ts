/** Trains, as far as courtesy is concerned: steps of 20 ms that leave the thread to nobody. The page says when it is touched. */
import { systemClock } from "@tributary/core";
import { createCourtesy } from "../../src/participation/courtesy.ts";
import { createListen } from "../../src/worker/listen.ts";

const STEP_MS = 20;
const courtesy = createCourtesy({ clock: systemClock, listen: createListen() });
/** When each step began, in milliseconds since the epoch. */
const begun: number[] = [];

addEventListener("message", ({ data }: MessageEvent<{ readonly busy: boolean } | "begun">) => {
  if (data === "begun") postMessage(begun);
  else courtesy.setReason("input", data.busy);
});

for (;;) {
  await courtesy.run(1, async () => {
    const startedAtMs = performance.now();
    begun.push(performance.timeOrigin + startedAtMs);
    while (performance.now() - startedAtMs < STEP_MS);
  });
}
