import type { ComparisonView, DriftView, MeasurementView, VerdictView } from "@tributary/api-client";
import { createHistogram, isOfClasses, quantile, total } from "@tributary/metrics";
import { counted } from "../counted.ts";
import { formatNumber, formatPercent } from "../start/format.ts";

/** Lines for people of what the devices of one round measured: sums over them. */
export function measurementLines(measurement: MeasurementView): string[] {
  const { at, roundId, purpose, version, candidate, devices, counters, histograms } = measurement;
  const { comparison, drift } = measurement;
  const compared = candidate === null ? `version ${version}` : `version ${candidate} against ${version}`;
  const lines = [`${at}  ${roundId}  ${purpose}  ${compared}, ${counted(devices, "device")}`];
  const { examples, currentLoss, currentCorrect } = counters;
  if (examples !== undefined && currentLoss !== undefined && currentCorrect !== undefined) {
    const { candidateLoss = currentLoss, candidateCorrect = currentCorrect } = counters;
    lines.push(
      `  ${counted(examples, "example")}, loss ${formatNumber(candidateLoss / examples, 4)}, accuracy ${formatPercent(candidateCorrect / examples)}`,
    );
  } else {
    const counted = Object.entries(counters).filter(
      ([name, count]) => name === "runs" || (count > 0 && !name.startsWith("feedback.")),
    );
    lines.push(`  ${counted.map(([name, count]) => `${name} ${count}`).join(", ")}`);
    const { "feedback.answers": answers = 0, "feedback.correct": correct = 0 } = counters;
    if (answers > 0)
      lines.push(`  right by feedback ${formatPercent(correct / answers)} of ${answers} answers`);
  }
  if (comparison !== null) lines.push(...comparisonLines(comparison));
  for (const [name, histogram] of Object.entries(histograms)) {
    const line = histogramLine(name, histogram);
    if (line !== undefined) lines.push(line);
  }
  if (drift.length > 0) lines.push(...driftLines(drift));
  return lines;
}

/** Which values lie otherwise than their reference, beside how far chance alone would take them. */
function driftLines(drift: readonly DriftView[]): string[] {
  const figure = (value: number): string => value.toPrecision(2);
  return drift.map(({ metric, reference, count, psi, psiLimit, ks, ksLimit, beyondNoise }) => {
    const against = reference.source === "dataset" ? "the reference data set" : `${reference.roundId}`;
    const distance = ks === null || ksLimit === null ? "" : `, KS ${figure(ks)} (${figure(ksLimit)})`;
    return `  ${beyondNoise ? "drift" : "no drift"}  ${metric}  PSI ${figure(psi)} (by chance below ${figure(psiLimit)})${distance}, ${count} against ${reference.count} of ${against}`;
  });
}

function comparisonLines({ loss, accuracy, confidence }: ComparisonView): string[] {
  const sure = formatPercent(confidence);
  return [
    ...(loss === null
      ? []
      : [
          `  loss ${signed(loss.difference)}, from ${signed(loss.lower)} to ${signed(loss.upper)} (each bound ${sure}), paired t-test p ${loss.p.toPrecision(2)}${effect(loss.designEffect)}`,
        ]),
    ...(accuracy === null
      ? []
      : [
          `  accuracy ${signed(accuracy.difference)}, from ${signed(accuracy.lower)} to ${signed(accuracy.upper)}, ${accuracy.gained} gained, ${accuracy.lost} lost, McNemar p ${accuracy.p.toPrecision(2)}`,
        ]),
  ];
}

/** How much less the examples say for lying on few devices. */
function effect(designEffect: number | null): string {
  return designEffect === null ? "" : `, design effect ${designEffect.toPrecision(2)}`;
}

/** Of classes how often each was counted, of anything else where the counts lie; undefined where there are none. */
function histogramLine(
  name: string,
  { edges, counts }: MeasurementView["histograms"][string],
): string | undefined {
  const isLog = name.startsWith("latency.") || name === "throughput" || name === "memory";
  const histogram = createHistogram({ edges, spacing: isLog ? "log" : "linear" }, Float64Array.from(counts));
  const all = total(histogram);
  if (all === 0) return undefined;
  if (isOfClasses(name)) {
    const classes = counts.slice(1, -1).flatMap((count, i) => (count > 0 ? [`${i}: ${count}`] : []));
    return `  ${name}  ${classes.join(", ")}`;
  }
  const at = (q: number): string => valueText(name, quantile(histogram, q)!);
  return `  ${name}  median ${at(0.5)}, 90 % ${at(0.9)}, 99 % ${at(0.99)}, of ${all}`;
}

function valueText(name: string, value: number): string {
  if (name === "memory") return `${(value / 1e6).toPrecision(3)} MB`;
  const unit = name.startsWith("latency.") ? " ms" : name === "throughput" ? "/s" : "";
  return `${value.toPrecision(3)}${unit}`;
}

/** What a gate found, in one line. */
export function verdictLine(verdict: VerdictView): string {
  const { result, metric, reference, improvement, lower, upper, requiredImprovement, devices, examples } =
    verdict;
  if (improvement === null || lower === null || upper === null) {
    return `${result}: ${counted(devices, "held-out device")} were too few to say`;
  }
  return `${result}: ${metric} better than version ${reference} by ${signed(improvement)} (${signed(lower)} to ${signed(upper)}, ${signed(requiredImprovement)} required), on ${counted(examples, "example")} of ${counted(devices, "held-out device")}`;
}

function signed(value: number): string {
  const text = Math.abs(value) >= 1e-4 || value === 0 ? value.toFixed(4) : value.toExponential(1);
  return value > 0 ? `+${text}` : text;
}
