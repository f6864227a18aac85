import type { SuspicionView } from "@tributary/api-client";

/** Quarantined devices named one by one; beyond that there is the command line. */
const MOST = 5;

/**
 * What is known of who makes sums fail, or sends what is refused, for people; undefined when nobody is suspected.
 *
 * @param secure - whether only sums are seen
 */
export function suspicionLines(
  suspicions: readonly SuspicionView[],
  secure: boolean,
): { readonly quarantined: readonly SuspicionView[]; readonly sentence: string } | undefined {
  if (suspicions.length === 0) return undefined;
  const quarantined = suspicions.filter(({ state }) => state === "quarantined");
  const suspected = suspicions.length - quarantined.length;
  const parts = [
    ...(quarantined.length === 0
      ? []
      : [
          `${devices(quarantined.length)} ${secure ? "stayed in cohorts whose sums failed" : "sent updates that were refused"} and ${quarantined.length === 1 ? "is" : "are"} quarantined`,
        ]),
    ...(suspected === 0
      ? []
      : [
          `${devices(suspected)} ${suspected === 1 ? "is" : "are"} suspected until ${secure ? "a cohort" : "a round"} with ${suspected === 1 ? "it" : "them"} holds`,
        ]),
  ];
  return { quarantined: quarantined.slice(0, MOST), sentence: `${parts.join("; ")}.` };
}

function devices(count: number): string {
  return count === 1 ? "1 device" : `${count} devices`;
}
