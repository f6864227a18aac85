import type { ReproductionView } from "@tributary/api-client";

const FILES = {
  weights: "float32 weights",
  int8: "int8 weights",
  optimizer: "optimizer's state",
  residual: "rounding's residual",
} as const satisfies Record<ReproductionView["files"][number]["name"], string>;

type Missing = ReproductionView["missing"][number];

const SOURCES = {
  round: "the round that made it",
  strategy: "its strategy",
  plan: "its plan",
  graph: "the model's graph",
  "parent-weights": "the weights of its parent",
  "parent-int8": "the int8 weights of its parent",
  aggregate: "the sum of its cohort",
  optimizer: "what the server optimizer remembered before",
  residual: "what rounding had left out before",
} as const satisfies Record<Missing["what"], string>;

const REASONS = {
  published: "there was none, an operator published the version",
  "not-kept": "it was not kept, or left with older versions",
  gone: "it is not stored any more",
  damaged: "its bytes are not those that were stored",
  unknown: "it is not known here, it is an app's own",
} as const satisfies Record<Missing["why"], string>;

/** What came out of a step that was taken again, for a person. */
export function reproductionLines(view: ReproductionView): string[] {
  const { model, version, result, files, missing, aggregate, masked } = view;
  const headline = {
    same: "bit for bit",
    different: "NOT the same",
    missing: "cannot be made again",
  }[result];
  return [
    `${model} version ${version}: ${headline}`,
    ...missing.map(({ what, why }) => `  missing: ${SOURCES[what]}: ${REASONS[why]}`),
    ...files
      .filter(({ expected, got }) => expected !== null || got !== null)
      .map(({ name, expected, got }) =>
        expected === got
          ? `  ${FILES[name]}  sha256 ${got}`
          : `  ${FILES[name]}  sha256 ${got ?? "none"}, expected ${expected ?? "none"}`,
      ),
    ...(aggregate === null
      ? []
      : [
          `  from the sum of its cohort, sha256 ${aggregate}; ${masked ? "the updates in it were masked, nobody saw one" : "the updates in it are not kept"}`,
        ]),
  ];
}
