import type { GraphBuilder } from "../ir/graph-builder.ts";
import { RESERVED_PREFIX } from "../ir/graph-builder.ts";
import type { Node } from "../ir/model.ts";
import type { GraphPort } from "./build-spec.ts";
import { appendLossGraph, labelPort, readLossGraph, WEIGHTS_INPUT, type LossGraph } from "./loss-graph.ts";
import { headOf, invalid, type LossTerm } from "./loss-options.ts";
import { appendLoss, type BuiltInLoss } from "./loss.ts";
import type { MetricName, MetricOptions, MetricOutput } from "./metrics.ts";
import { appendMetrics } from "./metrics.ts";
import { sumAll } from "./loss-parts.ts";
import type { HeadRead, PreparedModel } from "./prepare.ts";
import { SAMPLE_WEIGHTS } from "./reserved-names.ts";
import type { GraphTarget, Seed } from "./rule.ts";

export const LABELS = `${RESERVED_PREFIX}labels`;
export const LOSS_SUM = `${RESERVED_PREFIX}lossSum`;
export const CORRECT = `${RESERVED_PREFIX}correct`;

/** A summand with its graph read, if it has one. */
export type ReadTerm = LossTerm & { readonly lossGraph: LossGraph | undefined };

export function readTerms(terms: readonly LossTerm[]): readonly ReadTerm[] {
  return terms.map((term) => ({
    ...term,
    lossGraph: term.loss.kind === "graph" ? readLossGraph(term.loss.graph) : undefined,
  }));
}

/** What the losses read of a model: for a loss graph, every value that is called as one of its inputs. */
export function headsOf(terms: readonly ReadTerm[]): readonly HeadRead[] {
  return terms.flatMap(({ output, loss, lossGraph }): HeadRead[] =>
    lossGraph === undefined
      ? [{ output, head: headOf(loss) }]
      : lossGraph.inputs.map(({ name }) => ({ output: name, head: "none", ifThere: true })),
  );
}

/** What the losses of a graph leave in it. */
export interface AppendedLosses {
  /** One for each label, without doubles; at least one. */
  readonly labels: readonly GraphPort[];
  /** Of each label, the output that it is for, or the loss graph's input. */
  readonly labelNames: readonly string[];
  readonly metrics: readonly MetricOutput[];
  readonly knowsHits: boolean;
  /** Nodes of loss graphs, which gradients pass too. */
  readonly nodes: readonly Node[];
  /** Appends the gradients where the losses begin, times `factor` if one is given. */
  readonly seeds: (factor?: string) => Seed[];
}

export interface LossesOptions {
  readonly batchSize: number;
  readonly target: GraphTarget;
  readonly metrics: readonly (MetricName | MetricOptions)[];
}

/**
 * Appends the weighted sum of the losses as {@link LOSS_SUM}, and as {@link CORRECT} the hits of the first that knows
 * hits. Of several, each leaves its own loss and metrics, under the name of its output.
 */
export function appendLosses(
  builder: GraphBuilder,
  prepared: PreparedModel,
  terms: readonly ReadTerm[],
  options: LossesOptions,
): AppendedLosses {
  const { batchSize } = options;
  builder.declare(SAMPLE_WEIGHTS, { elementType: "float32", shape: [batchSize] });
  const context: TermContext = {
    builder,
    prepared,
    ...options,
    isOnly: isPlain(terms),
    labels: new Map(),
  };
  const appended: AppendedTerm[] = [];
  const outputs = new Set<string>();
  let next = 0;
  for (const [i, term] of terms.entries()) {
    const heads = headsOf([term]).length;
    const read = prepared.heads.slice(next, next + heads);
    next += heads;
    const output = term.lossGraph === undefined ? read[0]!.output : `graph${i}`;
    if (outputs.has(output)) throw invalid(`losses: two are put on the output "${output}"`);
    outputs.add(output);
    appended.push(
      term.lossGraph === undefined
        ? appendBuiltIn(context, term, read[0]!)
        : appendGraphTerm(context, term.lossGraph, read, i),
    );
  }
  if (context.labels.size === 0) {
    addLabel(context, { name: LABELS, dtype: "float32", shape: [batchSize] }, LABELS);
  }
  sumTerms(builder, terms, appended);
  checkMetrics(options.metrics, appended);
  return {
    labels: Array.from(context.labels.values(), ({ port }) => port),
    labelNames: Array.from(context.labels.values(), ({ of }) => of),
    metrics: appended.flatMap(({ metrics }) => metrics),
    knowsHits: appended.some(({ knowsHits }) => knowsHits),
    nodes: appended.flatMap(({ nodes }) => nodes),
    seeds: (factor) =>
      appended.map(({ seed }, i) => {
        const { value, gradient } = seed();
        const { weight } = terms[i]!;
        const own = weight === 1 ? gradient : builder.op("Mul", [gradient, builder.float(weight)]);
        return { value, gradient: factor === undefined ? own : builder.op("Mul", [own, factor]) };
      }),
  };
}

interface TermContext extends LossesOptions {
  readonly builder: GraphBuilder;
  readonly prepared: PreparedModel;
  readonly isOnly: boolean;
  readonly labels: Map<string, { readonly port: GraphPort; readonly of: string }>;
}

interface AppendedTerm {
  readonly lossSum: string;
  /** Where the hits are, if the loss appended any. */
  readonly correct: string | undefined;
  readonly knowsHits: boolean;
  readonly metrics: readonly MetricOutput[];
  /** Kinds of metrics that do not go with the loss, and why. */
  readonly refused: ReadonlyMap<string, string>;
  readonly nodes: readonly Node[];
  readonly seed: () => Seed;
}

/** One loss as it is: its sum is the sum. */
function isPlain(terms: readonly LossTerm[]): boolean {
  return terms.length === 1 && terms[0]!.weight === 1;
}

/** Two losses may share a label, if they agree on what it is. */
function addLabel({ builder, labels }: TermContext, port: GraphPort, of: string): string {
  const known = labels.get(port.name)?.port;
  if (known !== undefined && (known.dtype !== port.dtype || String(known.shape) !== String(port.shape))) {
    throw invalid(
      `losses: label "${port.name}" is both ${known.dtype} [${known.shape.join()}] and ${port.dtype} [${port.shape.join()}]`,
    );
  }
  labels.set(port.name, { port, of });
  builder.declare(port.name, { elementType: port.dtype as "float32", shape: port.shape });
  return port.name;
}

function appendBuiltIn(
  context: TermContext,
  { loss }: ReadTerm,
  head: NonNullable<PreparedModel["heads"][number]>,
): AppendedTerm {
  const { builder, batchSize, isOnly } = context;
  const { logits, output } = head;
  const own = loss as BuiltInLoss;
  const name = isOnly ? LABELS : `${LABELS}.${output}`;
  const labels = addLabel(
    context,
    own.kind === "softmax-cross-entropy"
      ? { name, dtype: "int32", shape: [batchSize] }
      : { name, dtype: "float32", shape: builder.shape(logits) },
    output,
  );
  const inputs = { logits, labels, sampleWeights: SAMPLE_WEIGHTS };
  const outputs = isOnly
    ? { lossSum: LOSS_SUM, correct: CORRECT }
    : { lossSum: `${LOSS_SUM}.${output}`, correct: `${CORRECT}.${output}` };
  const values = appendLoss(builder, own, inputs, outputs);
  const { made, refused } = appendMetrics(builder, own, context.metrics, inputs, isOnly ? undefined : output);
  const ownLoss: MetricOutput = { name: `${output}.loss`, output: values.lossSum, shape: [] };
  const knowsHits = own.kind === "softmax-cross-entropy" || own.kind === "sigmoid-cross-entropy";
  return {
    ...outputs,
    correct: knowsHits || isOnly ? outputs.correct : undefined,
    knowsHits,
    metrics: isOnly ? made : [ownLoss, ...made],
    refused,
    nodes: [],
    seed: () => ({ value: logits, gradient: values.gradient() }),
  };
}

function appendGraphTerm(
  context: TermContext,
  lossGraph: LossGraph,
  heads: PreparedModel["heads"],
  index: number,
): AppendedTerm {
  const { builder, prepared, batchSize, target, isOnly } = context;
  const fed = new Set(prepared.inputs.map(({ name: input }) => input));
  const isLabel = ({ name }: { readonly name: string }, i: number): boolean =>
    heads[i] === undefined && name !== WEIGHTS_INPUT && !fed.has(name);
  const isOnlyLabel = isOnly && lossGraph.inputs.filter(isLabel).length === 1;
  const bound = new Map<string, string>();
  for (const [i, info] of lossGraph.inputs.entries()) {
    const { name } = info;
    const port = isOnlyLabel ? LABELS : `${LABELS}.${name}`;
    if (isLabel(info, i)) bound.set(name, addLabel(context, labelPort(info, port, batchSize), name));
    else bound.set(name, heads[i]?.logits ?? (name === WEIGHTS_INPUT ? SAMPLE_WEIGHTS : name));
  }
  const { lossSum, nodes, seed } = appendLossGraph(builder, lossGraph, {
    bound,
    sampleWeights: SAMPLE_WEIGHTS,
    lossSum: isOnly ? LOSS_SUM : `${LOSS_SUM}.${index}`,
    prefix: `${RESERVED_PREFIX}loss.${index}.`,
    target,
  });
  const refused = context.metrics.map((metric): [string, string] => [
    typeof metric === "string" ? metric : metric.kind,
    "does not go with a loss graph",
  ]);
  const own: MetricOutput = { name: `graph${index}.loss`, output: lossSum, shape: [] };
  const metrics = isOnly ? [] : [own];
  return { lossSum, correct: undefined, knowsHits: false, metrics, refused: new Map(refused), nodes, seed };
}

function sumTerms(
  builder: GraphBuilder,
  terms: readonly LossTerm[],
  appended: readonly AppendedTerm[],
): void {
  const hits = appended.find(({ correct }) => correct !== undefined)?.correct;
  if (hits === undefined) sumAll(builder, builder.op("Mul", [SAMPLE_WEIGHTS, builder.float(0)]), CORRECT);
  else if (hits !== CORRECT) builder.op("Identity", [hits], {}, CORRECT);
  if (isPlain(terms)) return;
  const weighted = appended.map(({ lossSum }, i) =>
    builder.op("Mul", [lossSum, builder.float(terms[i]!.weight)]),
  );
  const last = weighted.pop()!;
  const before = weighted.reduce<string | undefined>(
    (sum, value) => (sum === undefined ? value : builder.op("Add", [sum, value])),
    undefined,
  );
  if (before === undefined) builder.op("Identity", [last], {}, LOSS_SUM);
  else builder.op("Add", [before, last], {}, LOSS_SUM);
}

/** Each metric has to go with one of the losses. */
function checkMetrics(
  metrics: readonly (MetricName | MetricOptions)[],
  appended: readonly AppendedTerm[],
): void {
  for (const metric of metrics) {
    const kind = typeof metric === "string" ? metric : metric.kind;
    const reasons = appended.map(({ refused }) => refused.get(kind));
    if (reasons.every((reason) => reason !== undefined)) throw invalid(`metric ${kind} ${reasons[0]}`);
  }
}
