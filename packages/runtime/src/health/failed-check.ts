import { engineDiagnosis } from "../updater/engine-diagnosis.ts";
import type { SlotFacts } from "../updater/slot-diagnosis.ts";

/** Whether another engine or form of the version that runs was found to compute wrong here, or not to run, just now. */
export function failedCheck({ lease }: Pick<SlotFacts, "lease">): boolean {
  const { tried, remembered } = engineDiagnosis(lease.check);
  const isBad = ({ verdict }: { readonly verdict: string }): boolean =>
    verdict === "disagrees" || verdict === "failed";
  return (!remembered && tried.some(isBad)) || lease.triedVariants.some(isBad);
}
