import type { ModelSlot } from "../updater/model-slot.ts";

/** Whether another engine or form of the version that runs was found to compute wrong here, or not to run, just now. */
export function failedCheck(slot: Pick<ModelSlot, "diagnose">): boolean {
  const { tried, remembered, triedVariants } = slot.diagnose();
  const isBad = ({ verdict }: { readonly verdict: string }): boolean =>
    verdict === "disagrees" || verdict === "failed";
  return (!remembered && tried.some(isBad)) || triedVariants.some(isBad);
}
