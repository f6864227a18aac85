import { failure } from "@tributary/core";
import type { Feeds } from "@tributary/engine";
import { tensor, type Tensor } from "@tributary/tensor";

/** Runs of one explanation; each covers another window. */
export const MAX_WINDOWS = 4096;
/** Calls under way at a time: as many as may share a run. */
const AT_ONCE = 32;

export interface OcclusionOptions {
  /** Score of one row, [1, …]. */
  readonly score: (feeds: Feeds) => Promise<number>;
  readonly feeds: Feeds;
  readonly baseline: Readonly<Record<string, Tensor>>;
  readonly layoutOf: (input: string) => "nchw" | "nhwc";
  readonly window?: number | undefined;
}

/**
 * Zeiler and Fergus 2014, section 4.2: each window of an input is covered by the baseline, and the fall of the score is spread over what
 * it covered. A window is a square of an image, a position of a sequence [1, length, …], or one value of [1, values]. Where windows
 * overlap, a value gets the mean.
 *
 * @throws `runtime/not-explainable` for more windows than {@link MAX_WINDOWS}
 */
export async function occlusion(
  options: OcclusionOptions,
): Promise<{ readonly score: number; readonly attributions: Record<string, Tensor> }> {
  const { score, feeds, baseline, layoutOf, window } = options;
  const whole = await score(feeds);
  const attributions: Record<string, Tensor> = {};
  for (const [name, cover] of Object.entries(baseline)) {
    const given = feeds[name]!;
    const windows = windowsOf(name, given.shape, layoutOf(name), window);
    const sums = new Float64Array(given.data.length);
    const covers = new Uint32Array(given.data.length);
    for (let start = 0; start < windows.length; start += AT_ONCE) {
      const some = windows.slice(start, start + AT_ONCE);
      const falls = await Promise.all(
        some.map(async (indices) => {
          const data = (given.data as Float32Array<ArrayBuffer>).slice();
          for (const i of indices) data[i] = Number(cover.data[i]);
          return whole - (await score({ ...feeds, [name]: tensor("float32", [...given.shape], data) }));
        }),
      );
      for (const [at, indices] of some.entries()) {
        for (const i of indices) {
          sums[i]! += falls[at]!;
          covers[i]! += 1;
        }
      }
    }
    const mean = Float32Array.from(sums, (sum, i) => (covers[i] === 0 ? 0 : sum / covers[i]!));
    attributions[name] = tensor("float32", [...given.shape], mean);
  }
  return { score: whole, attributions };
}

/** Flat indices of the values that each window covers. */
function windowsOf(
  name: string,
  shape: readonly number[],
  layout: "nchw" | "nhwc",
  side: number | undefined,
): number[][] {
  const windows = shape.length === 4 ? squares(shape, layout, side) : positions(shape);
  if (windows.length <= MAX_WINDOWS) return windows;
  throw failure(
    "runtime/not-explainable",
    `explain: occlusion of "${name}" takes ${windows.length} runs, at most ${MAX_WINDOWS} are made; give a larger window`,
    { detail: { input: name, windows: windows.length } },
  );
}

/** Each position of the axis after the batch, with all that belongs to it. */
function positions([, count = 1, ...inner]: readonly number[]): number[][] {
  const width = inner.reduce((product, size) => product * size, 1);
  return Array.from({ length: count }, (_, at) => Array.from({ length: width }, (__, i) => at * width + i));
}

function squares(shape: readonly number[], layout: "nchw" | "nhwc", given: number | undefined): number[][] {
  const [, a, b, c] = shape as readonly [number, number, number, number];
  const [channels, height, width] = layout === "nchw" ? [a, b, c] : [c, a, b];
  const side = given ?? Math.max(1, Math.round(Math.min(height, width) / 7));
  const stride = Math.max(1, Math.ceil(side / 2));
  const at = (channel: number, row: number, column: number): number =>
    layout === "nchw"
      ? (channel * height + row) * width + column
      : (row * width + column) * channels + channel;
  const windows: number[][] = [];
  for (const top of starts(height, side, stride)) {
    for (const left of starts(width, side, stride)) {
      const indices: number[] = [];
      for (let row = top; row < Math.min(top + side, height); row++)
        for (let column = left; column < Math.min(left + side, width); column++)
          for (let channel = 0; channel < channels; channel++) indices.push(at(channel, row, column));
      windows.push(indices);
    }
  }
  return windows;
}

/** Where windows begin, so that the last one ends with the axis. */
function starts(size: number, side: number, stride: number): number[] {
  const last = Math.max(0, size - side);
  const all: number[] = [];
  for (let start = 0; start < last; start += stride) all.push(start);
  return [...all, last];
}
