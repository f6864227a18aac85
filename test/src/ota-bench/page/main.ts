import { digestOf } from "@tributary/core";
import { applyDelta } from "@tributary/tensor";

/** What the benchmark asks of its page. */
export interface Bench {
  /** Applies a delta so many times, and compares the digest each time; milliseconds of each. */
  apply(times: number): Promise<number[]>;
}

async function bytesOf(name: string): Promise<Uint8Array> {
  return new Uint8Array(await (await fetch(`/${name}`)).arrayBuffer());
}

const bench: Bench = {
  async apply(times) {
    const [base, delta] = await Promise.all([bytesOf("base"), bytesOf("delta")]);
    const expected = await (await fetch("/digest")).text();
    const elapsedMs: number[] = [];
    for (let i = 0; i < times; i++) {
      const begin = performance.now();
      const digest = await digestOf(applyDelta(base, delta));
      elapsedMs.push(performance.now() - begin);
      if (digest !== expected) throw new Error("the delta made another file");
    }
    return elapsedMs;
  },
};
Object.assign(globalThis, { bench });
