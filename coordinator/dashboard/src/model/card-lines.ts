import type { ModelCard } from "@tributary/api-client";
import { formatCount, formatLoss, formatShare } from "../format/numbers.ts";
import { formatFull } from "../format/time.ts";

/** A fact of a model card for people. */
export interface CardLine {
  readonly term: string;
  readonly words: string;
  /** What it rests on, in smaller letters. */
  readonly more?: string;
}

/** What is known of a version, apart from what its operators wrote. */
export function cardLines({ version, channels, aliases, inputs, outputs, classes }: ModelCard): CardLine[] {
  const names = [...channels, ...aliases].join(", ");
  const port = ({ name, dtype, shape }: ModelCard["inputs"][number]): string =>
    `${name} ${dtype} [${shape.map((size) => (size < 0 ? "*" : size)).join(", ")}]`;
  return [
    { term: "Called", words: names || "nothing points to it" },
    measured(version),
    made(version),
    privacy(version),
    { term: "In", words: inputs.map(port).join(", ") },
    {
      term: "Out",
      words: outputs.map(port).join(", "),
      ...(classes === null ? {} : { more: `${formatCount(classes.length)} classes: ${someOf(classes)}` }),
    },
  ];
}

const CLASSES_SHOWN = 12;

function someOf(classes: readonly string[]): string {
  const shown = classes.slice(0, CLASSES_SHOWN).join(", ");
  return classes.length > CLASSES_SHOWN ? `${shown}…` : shown;
}

function measured({ accuracy, loss, lineage }: ModelCard["version"]): CardLine {
  const term = "Measured";
  if (accuracy === null && loss === null) return { term, words: "not on held-out data" };
  const figures = [
    ...(accuracy === null ? [] : [`accuracy ${formatShare(accuracy)}`]),
    ...(loss === null ? [] : [`loss ${formatLoss(loss)}`]),
  ].join(", ");
  const interval = lineage?.intervals["accuracy"];
  const examples = lineage?.evaluation?.examples;
  const more = [
    ...(examples === undefined ? [] : [`on ${formatCount(examples)} held-out examples`]),
    ...(interval === undefined
      ? []
      : [
          `accuracy between ${formatShare(interval.lower)} and ${formatShare(interval.upper)} with ${formatShare(interval.confidence)} confidence`,
        ]),
  ].join("; ");
  return { term, words: figures, ...(more === "" ? {} : { more }) };
}

function made({
  createdAt,
  parentVersion,
  lineage,
  strategy,
  cohort,
  numExamples,
}: ModelCard["version"]): CardLine {
  const from = parentVersion === null ? "the first version" : `from version ${parentVersion}`;
  const by = lineage?.madeBy;
  const words =
    by === undefined
      ? from
      : by.kind === "operator"
        ? `published by an operator, ${from}`
        : `by task ${by.task}, ${from}`;
  const settings = Object.entries(strategy?.parameters ?? {}).map(([name, value]) => `${name} ${value}`);
  const more = [
    formatFull(createdAt),
    ...(cohort === 0 ? [] : [`${formatCount(cohort)} updates of ${formatCount(numExamples)} examples`]),
    ...(strategy === null ? [] : [[strategy.name, ...settings].join(", ")]),
    ...(lineage === null ? [] : [`coordinator ${lineage.code.coordinator}`]),
  ].join("; ");
  return { term: "Made", words, more };
}

function privacy({ lineage }: ModelCard["version"]): CardLine {
  const term = "Privacy";
  if (lineage === null) return { term, words: "not recorded" };
  const { epsilon, reason, secureAggregation, maxUpdateNorm } = lineage.privacy;
  const words = epsilon === null ? "no differential privacy" : `epsilon ${epsilon}`;
  const more = [
    ...(reason === null ? [] : [reason]),
    ...(secureAggregation === null
      ? []
      : [
          `sums of at least ${formatCount(secureAggregation.minimumCohort)} updates were seen, and no single one`,
        ]),
    ...(maxUpdateNorm === null ? [] : [`norm of an update at most ${formatCount(maxUpdateNorm)}`]),
  ].join("; ");
  return { term, words, more };
}
