import type { DriftView } from "@tributary/api-client";

/** `drift: PSI 0.31, by chance below 0.05` */
export function driftWords({ psi, psiLimit, ks, ksLimit, beyondNoise }: DriftView): string {
  const distance = ks === null || ksLimit === null ? "" : `; KS ${short(ks)}, below ${short(ksLimit)}`;
  return `${beyondNoise ? "drift" : "no drift"}: PSI ${short(psi)}, by chance below ${short(psiLimit)}${distance}`;
}

/** What histograms are compared with. */
export function referenceWords(drift: readonly DriftView[]): string {
  const first = drift.find(({ reference }) => reference.source === "measurement")?.reference;
  const hasDataset = drift.some(({ reference }) => reference.source === "dataset");
  const round = first && `the first round (${first.roundId}, version ${first.version})`;
  if (!hasDataset) return `Drift is measured against ${round}.`;
  const rest = round === undefined ? "" : `; of what that says nothing of, against ${round}`;
  return `Drift is measured against the task's reference data set${rest}.`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(2)));
}
