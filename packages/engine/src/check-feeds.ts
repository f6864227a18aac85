import { failure } from "@tributary/core";
import type { Tensor } from "@tributary/tensor";
import type { SessionPort } from "./engine.ts";

/**
 * Checks feeds and wanted outputs against the ports of a graph, before an engine sees them.
 * @param where - begins the messages: an engine, or what was called
 * @throws `engine/missing-input`, `engine/unknown-input`, `engine/input-mismatch`, `engine/unknown-output`
 */
export function checkFeeds(
  where: string,
  inputs: readonly SessionPort[],
  outputs: readonly string[],
  feeds: Readonly<Record<string, Pick<Tensor, "dtype" | "shape">>>,
  wanted: readonly string[] | undefined,
): void {
  for (const port of inputs) {
    const value = Object.hasOwn(feeds, port.name) ? feeds[port.name] : undefined;
    if (value === undefined) {
      throw failure(
        "engine/missing-input",
        `${where}: input "${port.name}" (${port.dtype} ${describeShape(port.shape)}) was not fed; got ${list(Object.keys(feeds))}`,
        { detail: { input: port.name } },
      );
    }
    if (value.dtype !== port.dtype) {
      throw failure(
        "engine/input-mismatch",
        `${where}: input "${port.name}" expects ${port.dtype}, got ${value.dtype}`,
        { detail: { input: port.name, expected: port.dtype, got: value.dtype } },
      );
    }
    if (!fits(port.shape, value.shape)) {
      throw failure(
        "engine/input-mismatch",
        `${where}: input "${port.name}" expects ${describeShape(port.shape)}, got ${describeShape(value.shape)}`,
        {
          detail: {
            input: port.name,
            expected: describeShape(port.shape),
            got: describeShape(value.shape),
          },
        },
      );
    }
  }
  for (const name of Object.keys(feeds)) {
    if (!inputs.some((port) => port.name === name)) {
      throw failure(
        "engine/unknown-input",
        `${where}: the graph has no input "${name}"; it has ${list(inputs.map((port) => port.name))}`,
        { detail: { input: name } },
      );
    }
  }
  for (const name of wanted ?? []) {
    if (!outputs.includes(name)) {
      throw failure(
        "engine/unknown-output",
        `${where}: the graph has no output "${name}"; it has ${list(outputs)}`,
        { detail: { output: name } },
      );
    }
  }
}

function fits(expected: readonly (number | null)[], got: readonly number[]): boolean {
  return (
    expected.length === got.length && expected.every((size, axis) => size === null || size === got[axis])
  );
}

function describeShape(shape: readonly (number | null)[]): string {
  return `[${shape.map((size) => size ?? "*").join(",")}]`;
}

function list(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.map((name) => `"${name}"`).join(", ");
}
