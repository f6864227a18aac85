import type { DriftView } from "@tributary/api-client";

/** `drift: PSI 0.31, by chance below 0.05` */
export function driftWords({ psi, psiLimit, ks, ksLimit, beyondNoise }: DriftView): string {
  const distance = ks === null || ksLimit === null ? "" : `; KS ${short(ks)}, below ${short(ksLimit)}`;
  return `${beyondNoise ? "drift" : "no drift"}: PSI ${short(psi)}, by chance below ${short(psiLimit)}${distance}`;
}

/** What a histogram is compared with. */
export function referenceWords({ reference }: DriftView): string {
  return reference.source === "dataset"
    ? "against the task's reference data set"
    : `against the first round, ${reference.roundId} of version ${reference.version}`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(2)));
}
