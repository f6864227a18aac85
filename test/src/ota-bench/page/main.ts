import { digestOf } from "@tributary/core";
import { patchFile } from "@tributary/tensor";

/** What the benchmark asks of its page. */
export interface Bench {
  /** Applies a delta so many times, and compares the digest each time; milliseconds of each. */
  apply(times: number): Promise<number[]>;
}

async function bytesOf(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await (await fetch(`/${name}`)).arrayBuffer());
}

const bench: Bench = {
  async apply(times) {
    const [base, delta] = await Promise.all([bytesOf("base"), bytesOf("delta")]);
    const expected = await (await fetch("/digest")).text();
    const elapsedMs: number[] = [];
    for (let i = 0; i < times; i++) {
      // As a device has it from its storage, whose time does not count.
      const file = base.slice();
      const begin = performance.now();
      patchFile(file, delta);
      const digest = await digestOf(file);
      elapsedMs.push(performance.now() - begin);
      if (digest !== expected) throw new Error("the delta made another file");
    }
    return elapsedMs;
  },
};
Object.assign(globalThis, { bench });
