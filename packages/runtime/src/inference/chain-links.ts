/** How models fit behind each other, as the app says it or as it can only be meant. */
import { failure } from "@tributary/core";
import type { GraphPort, ModelManifest } from "@tributary/protocol";

/** A model of a chain, and what the app says that it is fed. */
export interface ChainPart {
  readonly manifest: Pick<ModelManifest, "model" | "inputs" | "outputs">;
  readonly from: Readonly<Record<string, string>> | undefined;
}

/**
 * Of each model, the output of the one before that each of its inputs gets; of the first, none.
 *
 * @throws `engine/unknown-output`, `engine/unknown-input`, `engine/input-mismatch`, `engine/missing-input`, or RangeError
 */
export function chainLinks(parts: readonly ChainPart[]): readonly Readonly<Record<string, string>>[] {
  return parts.map(({ manifest, from }, i) => {
    const before = parts[i - 1]?.manifest;
    if (before !== undefined) return checkedLinks(before, manifest, from);
    if (from === undefined) return {};
    throw new RangeError(`chain: "${manifest.model}" is the first, and gets no output of another`);
  });
}

type Ports = ChainPart["manifest"];

function checkedLinks(
  before: Ports,
  model: Ports,
  from: ChainPart["from"],
): Readonly<Record<string, string>> {
  const links = from ?? onlyLink(before, model);
  for (const [name, output] of Object.entries(links)) {
    const input = model.inputs.find((port) => port.name === name);
    if (input === undefined) throw unknown("input", model, name, model.inputs);
    const made = before.outputs.find((port) => port.name === output);
    if (made === undefined) throw unknown("output", before, output, before.outputs);
    if (!fits(made, input)) {
      throw failure(
        "engine/input-mismatch",
        `chain: "${name}" of ${model.model} expects ${told(input)}, "${output}" of ${before.model} is ${told(made)}`,
        { detail: { input: name, output, expected: told(input), got: told(made) } },
      );
    }
  }
  const missing = model.inputs.find(({ name }) => !Object.hasOwn(links, name));
  if (missing === undefined) return links;
  throw failure(
    "engine/missing-input",
    `chain: "${missing.name}" of ${model.model} gets no output of ${before.model}; say which in \`from\``,
    { detail: { input: missing.name } },
  );
}

function onlyLink(before: Ports, model: Ports): Readonly<Record<string, string>> {
  const [[output, ...others], [input, ...more]] = [before.outputs, model.inputs];
  return output === undefined || input === undefined || others.length + more.length > 0
    ? {}
    : { [input.name]: output.name };
}

/** Axes that either leaves free are seen when it runs. */
function fits(output: GraphPort, input: GraphPort): boolean {
  return (
    output.dtype === input.dtype &&
    output.shape.length === input.shape.length &&
    output.shape.every((size, axis) => size < 0 || input.shape[axis]! < 0 || size === input.shape[axis])
  );
}

function told({ dtype, shape }: GraphPort): string {
  return `${dtype} [${shape.map((size) => (size < 0 ? "*" : size)).join()}]`;
}

function unknown(
  kind: "input" | "output",
  { model }: Ports,
  name: string,
  ports: readonly GraphPort[],
): Error {
  const there = ports.map((port) => `"${port.name}"`).join(", ");
  return failure(`engine/unknown-${kind}`, `chain: ${model} has no ${kind} "${name}"; it has ${there}`, {
    detail: { [kind]: name },
  });
}
