import { builtInStrategies, createStrategyRegistry } from "@tributary/aggregation";
import { failure } from "@tributary/core";
import { gatherStep, reproduceStep } from "@tributary/federation/aggregation";
import { parseVersionStep, type ReproductionView } from "@tributary/protocol";
import { STEP_PATH } from "./exported-files.ts";
import type { ExportedFolder } from "./read-exported.ts";

/**
 * Takes the step of an exported version again, from its folder alone, as the coordinator does. Of an app's own strategies nothing is known here.
 *
 * @throws `cli/nothing-to-reproduce` for an export without states, `cli/invalid-export`, and what the step throws
 */
export async function reproduceOffline(exported: ExportedFolder): Promise<ReproductionView> {
  const { files, version: exportedVersion } = exported.manifest;
  const document = files.find(({ role, path }) => role === "step" && path === STEP_PATH);
  if (document === undefined)
    throw failure(
      "cli/nothing-to-reproduce",
      "reproduce: the export does not hold what its step was taken with; export it --with-states",
    );
  const step = parseVersionStep(await exported.read(document));
  const { model, version, weights, aggregate, masked } = step;
  if (weights.digest !== exportedVersion.weightsDigest || version !== exportedVersion.version)
    throw failure("cli/invalid-export", `reproduce: ${STEP_PATH} is of another version than manifest.json`);
  const view = { model, version, files: [], missing: [], aggregate: aggregate?.digest ?? null, masked };
  const strategies = createStrategyRegistry(builtInStrategies);
  if (!strategies.definitions.some(({ name }) => name === step.strategy.name))
    return { ...view, result: "missing", missing: [{ what: "strategy", why: "unknown" }] };
  const gathered = await gatherStep(step, async (digest) => {
    const file = files.find((each) => each.digest === digest);
    return file === undefined ? "gone" : exported.read(file);
  });
  if (!("step" in gathered)) return { ...view, result: "missing", missing: gathered };
  return { ...view, ...(await reproduceStep(strategies, gathered)) };
}
