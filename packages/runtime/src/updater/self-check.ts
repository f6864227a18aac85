/** Before a version takes the place of another: loaded with the first update. */
import { failure } from "@tributary/core";
import type { Session } from "@tributary/engine";
import { sampleFeeds } from "@tributary/engine/sample-feeds";
import { checkExpected } from "@tributary/engine/self-check";
import type { ModelManifest } from "@tributary/protocol";

/**
 * What a model takes and gives stays the same from version to version: the app's calls are made for it.
 *
 * @throws `runtime/incompatible-release`
 */
export function requireSamePorts(running: ModelManifest, next: ModelManifest): void {
  const changed = (["inputs", "outputs"] as const).find(
    (side) => portsOf(running[side]) !== portsOf(next[side]),
  );
  if (changed === undefined) return;
  throw failure(
    "runtime/incompatible-release",
    `model ${next.model}: version ${next.version} has other ${changed} than version ${running.version}: ${portsOf(next[changed])} in place of ${portsOf(running[changed])}`,
    { detail: { model: next.model, version: next.version } },
  );
}

function portsOf(ports: ModelManifest["inputs"]): string {
  return ports.map(({ name, dtype, shape }) => `${name} ${dtype} [${shape.join()}]`).join(", ");
}

/**
 * Runs the version on the signed row and holds its answers to the signed ones.
 *
 * @throws `runtime/self-check-failed`, and what the engine throws
 */
export async function selfCheck(
  { model, version, inputs, selfCheck: signed }: ModelManifest,
  weights: "float32" | "int8",
  session: Session,
): Promise<void> {
  if (signed === undefined) return;
  const outputs = await session.run(sampleFeeds(inputs, signed.seed));
  const { agrees, relativeError, worstOutput } = checkExpected(signed[weights], outputs, signed.tolerance);
  if (agrees) return;
  throw failure(
    "runtime/self-check-failed",
    `model ${model}: version ${version} answers otherwise on this device than where it was published: output ${worstOutput}, relative error ${relativeError.toPrecision(2)}, at most ${signed.tolerance} is accepted`,
    { detail: { model, version, relativeError: Math.min(relativeError, Number.MAX_VALUE) } },
  );
}
