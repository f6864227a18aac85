import { TributaryError, type Clock } from "@tributary/core";
import type { Session } from "@tributary/engine";
import { runChain } from "@tributary/engine/run-chain";
import type { ModelManifest } from "@tributary/protocol";
import type { DevicePorts, RunFeeds } from "../device.ts";
import { withTensors } from "../images/with-tensors.ts";
import type { Inference } from "../runtime.ts";
import type { ModelSlot } from "../updater/slot-types.ts";
import { chainLinks } from "./chain-links.ts";
import { readAnswer } from "./read-answer.ts";

export interface ModelLink {
  readonly slot: Pick<ModelSlot, "use">;
  readonly from: Readonly<Record<string, string>> | undefined;
}

interface Used extends ModelLink {
  readonly session: Session;
  readonly manifest: ModelManifest;
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
  const used: Used[] = [];
  const runAll = async (): Promise<Inference> => {
    const links = chainLinks(used);
    const chain = used.map(({ session }, i) => ({ session, from: links[i]! }));
    const given = await withTensors(used[0]!.manifest, feeds, images);
    const startedAtMs = clock.monotonicMs();
    const outputs = await runChain(chain, given, signal).catch(async (error: unknown) => {
      if (!TributaryError.is(error) || error.code !== "engine/device-lost") throw error;
      return await runChain(chain, given, signal);
    });
    return readAnswer(used.at(-1)!.manifest, { outputs, durationMs: clock.monotonicMs() - startedAtMs });
  };
  const enter = async (i: number): Promise<Inference> => {
    const link = links[i];
    if (link === undefined) return await runAll();
    return await link.slot.use((session, manifest) => {
      used.push({ ...link, session, manifest });
      return enter(i + 1);
    }, signal);
  };
  return await enter(0);
}
