import { TributaryError, type Clock } from "@tributary/core";
import { runChain, type ChainLink } from "@tributary/engine/run-chain";
import type { ModelManifest } from "@tributary/protocol";
import type { DevicePorts, RunFeeds } from "../device.ts";
import { withTensors } from "../images/with-tensors.ts";
import type { Inference } from "../runtime.ts";
import type { ModelSlot } from "../updater/model-slot.ts";
import { readAnswer } from "./read-answer.ts";

export interface ModelLink {
  readonly slot: Pick<ModelSlot, "use">;
  readonly from: Readonly<Record<string, string>>;
}

/** Runs what is open in each slot, one behind the other: none is swapped meanwhile. Made again once, where the GPU is lost. */
export async function runModels(
  links: readonly ModelLink[],
  feeds: RunFeeds,
  options: {
    readonly clock: Pick<Clock, "monotonicMs">;
    readonly images: DevicePorts["images"];
    readonly signal: AbortSignal | undefined;
  },
): Promise<Inference> {
  const { clock, images, signal } = options;
  const chain: ChainLink[] = [];
  const manifests: ModelManifest[] = [];
  const runAll = async (): Promise<Inference> => {
    const given = await withTensors(manifests[0]!, feeds, images);
    const startedAtMs = clock.monotonicMs();
    const outputs = await runChain(chain, given, signal).catch(async (error: unknown) => {
      if (!TributaryError.is(error) || error.code !== "engine/device-lost") throw error;
      return await runChain(chain, given, signal);
    });
    return readAnswer(manifests.at(-1)!, { outputs, durationMs: clock.monotonicMs() - startedAtMs });
  };
  const enter = async (i: number): Promise<Inference> => {
    const link = links[i];
    if (link === undefined) return await runAll();
    return await link.slot.use((session, manifest) => {
      chain.push({ session, from: link.from });
      manifests.push(manifest);
      return enter(i + 1);
    }, signal);
  };
  return await enter(0);
}
