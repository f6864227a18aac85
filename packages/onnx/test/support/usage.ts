import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Milliseconds that this process computed, whatever else the machine did meanwhile. */
export function cpuMs(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Bytes of heap and of arrays that are still there for what a step keeps, garbage collected before and after. */
export function retainedBytes(run: () => unknown): number {
  const total = (): number => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = total();
  const kept = [run()];
  const after = total();
  return kept.length === 1 ? after - before : 0;
}
