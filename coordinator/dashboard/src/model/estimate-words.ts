import type { EstimateResult } from "@tributary/api-client";

/** What an estimate does not tell. */
export const CAVEAT_WORDS = {
  "device-data":
    "Real devices have other examples than the data set for evaluation: the accuracy may come sooner, later or never.",
  "random-data":
    "The task names no data set for evaluation, so the devices learned from random numbers: nothing is known of accuracy.",
  "device-speed": "How fast real devices and their networks are: both are what you assumed.",
  availability: "How often devices are there and willing. Here all of them always are.",
  "few-rounds": "Fewer than five rounds were simulated in the time: the figures may be far off.",
  "coordinator-share":
    "How much of the CPU time is the coordinator's own: the simulated devices' half of the protocol is in it.",
  "rows-drawn-again":
    "The data set has fewer rows than the devices need. They share rows, which helps the accuracy.",
} as const satisfies Record<EstimateResult["caveats"][number], string>;

/** What was asked: rounds to an accuracy, or within a time. */
export function answerOf(result: EstimateResult, accuracy: number | null): string {
  const { rounds, roundsToAccuracy, secondsToAccuracy, roundsPerHour } = result;
  if (accuracy !== null && result.data === "evaluation") {
    const wanted = `${Number((accuracy * 100).toFixed(1))} %`;
    if (roundsToAccuracy !== null)
      return `${wanted} after ${roundsToAccuracy} rounds, ${durationWords(secondsToAccuracy ?? 0)}`;
    return `${wanted} was not reached in ${rounds} rounds`;
  }
  return `${Number(roundsPerHour.toPrecision(2))} rounds an hour`;
}

export function durationWords(seconds: number): string {
  if (seconds < 90) return `${Number(seconds.toPrecision(2))} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Number((seconds / 3_600).toPrecision(2))} h`
    : `${Math.round(seconds / 86_400)} days`;
}
