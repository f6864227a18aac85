import { failure } from "@tributary/core";

/**
 * Bytes of heap that what stands in a file takes once read, as message and as model together: measured on V8, rounded
 * up. A few bytes of file cost hundreds here, which is why they are counted before they are made.
 */
export const COST = {
  message: 400,
  /** A view on the file, or a preserved field. */
  view: 200,
  text: 32,
  /** An entry of a list, which grows in steps. */
  number: 28,
  bigint: 64,
} as const;

/** A step on the way to a field: `nodes[3]`, and the message read so far. */
export interface PathStep {
  readonly text: string;
  readonly message: Readonly<Record<string, unknown>>;
}

/** What reading one file may still take, and where it is. */
export class MemoryBudget {
  /** What is left of it after an error tells the place. */
  readonly path: PathStep[] = [];
  readonly #total: number;
  #left: number;

  constructor(bytes: number) {
    this.#total = bytes;
    this.#left = bytes;
  }

  /** Before what costs is made, at a byte of the file. Errors: `onnx/too-large`. */
  charge(bytes: number, byte: number): void {
    this.#left -= bytes;
    if (this.#left >= 0) return;
    throw failure(
      "onnx/too-large",
      `onnx: up to byte ${byte} the model's structure takes ${this.#total} bytes of memory, more than a file of this size may; is it damaged?`,
      { detail: { byte } },
    );
  }
}

const SHOWN_STEPS = 12;

/** `graph.nodes[3].attributes[0]`. */
export function pathText(path: readonly PathStep[]): string {
  return path
    .slice(0, SHOWN_STEPS)
    .map(({ text }) => text)
    .join(".");
}

/** The innermost node on a path, as far as it was read: `Conv "conv1"`. */
export function nodeOnPath(path: readonly PathStep[]): string | undefined {
  const node = path.findLast(({ message }) => typeof message["opType"] === "string")?.message;
  return node && `${node["opType"] as string} "${typeof node["name"] === "string" ? node["name"] : ""}"`;
}
