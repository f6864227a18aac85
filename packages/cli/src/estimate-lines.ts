import type { EstimateResult } from "@tributary/api-client";
import { counted } from "./counted.ts";
import { formatBytes, formatNumber, formatPercent } from "./start/format.ts";

/** What an estimate does not tell. */
const CAVEATS = {
  "device-data":
    "real devices have other examples than the data set for evaluation: accuracy may come sooner, later or never",
  "random-data":
    "the task names no data set for evaluation, so that devices learned from random numbers: of accuracy nothing is known",
  "device-speed": "how fast real devices are: the time of a batch and of the network are what was assumed",
  availability: "how often devices are there and willing: here all of them always are",
  "few-rounds": "fewer than five rounds were simulated in the time: the figures may be far off",
  "coordinator-share":
    "the coordinator's own share of its CPU time: the simulated devices' half of the protocol is in it",
  "rows-drawn-again": "the data set has fewer rows than devices need: they share rows, which helps accuracy",
} as const satisfies Record<EstimateResult["caveats"][number], string>;

/** An estimate for people. */
export function estimateLines(result: EstimateResult, target: number | null): string[] {
  const { rounds, abandoned, roundsToAccuracy, secondsToAccuracy, roundSeconds, perDevice, perRound } =
    result;
  const lines = [
    `simulated   ${counted(rounds, "round")} committed, ${abandoned} abandoned`,
    `a round     ${seconds(roundSeconds.median)} (${seconds(roundSeconds.low)} to ${seconds(roundSeconds.high)}), ${formatNumber(result.roundsPerHour, 1)} an hour`,
  ];
  if (result.accuracy !== null || result.loss !== null)
    lines.push(
      `at the end  accuracy ${formatPercent(result.accuracy)}, loss ${formatNumber(result.loss, 4)}`,
    );
  if (target !== null && result.data === "evaluation")
    lines.push(
      roundsToAccuracy === null
        ? `accuracy    ${formatPercent(target)} was not reached`
        : `accuracy    ${formatPercent(target)} after ${counted(roundsToAccuracy, "round")}, ${seconds(secondsToAccuracy ?? 0)}`,
    );
  lines.push(
    `a device    ${formatBytes(Math.round(perDevice.bytesDown))} down, ${formatBytes(Math.round(perDevice.bytesUp))} up, computes ${seconds(perDevice.seconds)} a round`,
    `the server  ${formatBytes(Math.round(perRound.bytesUp))} in, ${formatBytes(Math.round(perRound.bytesDown))} out, at most ${seconds(result.coordinatorCpuSeconds)} of CPU a round`,
    "not known:",
    ...result.caveats.map((caveat) => `  ${CAVEATS[caveat]}`),
  );
  return lines;
}

function seconds(value: number): string {
  if (value < 90) return `${formatNumber(value, value < 10 ? 2 : 1)} s`;
  return value < 5_400 ? `${formatNumber(value / 60, 1)} min` : `${formatNumber(value / 3_600, 1)} h`;
}
