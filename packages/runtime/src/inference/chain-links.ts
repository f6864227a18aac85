/** How models fit behind each other, as the app says it or as it can only be meant. */
import { failure } from "@tributary/core";
import type { GraphPort } from "@tributary/protocol";
import type { ChainLinkRequest } from "../device.ts";
import type { ChainStep } from "../runtime.ts";

/** @throws `engine/unknown-output`, `engine/unknown-input`, `engine/input-mismatch`, `engine/missing-input`, or RangeError */
export function chainLinks(steps: readonly ChainStep[]): readonly ChainLinkRequest[] {
  if (steps.length === 0) throw new RangeError("chain: at least one model, got none");
  return steps.map(({ model, from }, i) => {
    const before = steps[i - 1]?.model;
    if (before === undefined) {
      if (from === undefined) return { model: model.name, from: {} };
      throw new RangeError(`chain: "${model.name}" is the first, and gets no output of another`);
    }
    return { model: model.name, from: checkedLinks(before.state, model.state, from) };
  });
}

type Ports = ChainStep["model"]["state"];

function checkedLinks(
  before: Ports,
  model: Ports,
  from: ChainStep["from"],
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
