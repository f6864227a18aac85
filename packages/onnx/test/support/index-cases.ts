import type { RuleCase, RuleConstant } from "./rule-cases.ts";

const volume = [2, 3, 4];
const indices = (shape: readonly number[], values: readonly number[]): Record<string, RuleConstant> => ({
  indices: { type: "int64", shape, values },
});
const lists = (...values: (readonly number[])[]): Record<string, RuleConstant> =>
  Object.fromEntries(
    values.map((list, i) => [`list${i}`, { type: "int64", shape: [list.length], values: list }]),
  );
const scalar = (value: number): Record<string, RuleConstant> => indices([], [value]);

/** Operators that move elements. */
export const INDEX_CASES: readonly RuleCase[] = [
  { op: "Split", label: "even", inputs: [[2, 6]], attributes: { axis: 1, num_outputs: 3 }, outputs: 3 },
  { op: "Split", label: "with a rest", inputs: [[5, 2]], attributes: { num_outputs: 2 }, outputs: 2 },
  { op: "Slice", label: "start and end", inputs: [[5, 6]], constants: lists([1, -4], [4, 100]) },
  { op: "Slice", label: "steps", inputs: [[5, 8]], constants: lists([1, 0], [5, 7], [0, 1], [2, 3]) },
  {
    op: "Slice",
    label: "backwards",
    inputs: [[5, 8]],
    constants: lists([-1, 6], [-100, 0], [0, 1], [-1, -2]),
  },
  { op: "Pad", label: "constant", inputs: [[3, 4]], constants: lists([1, 0, 2, 3]) },
  { op: "Pad", label: "crop", inputs: [[4, 5]], constants: lists([-1, 1, 2, -2]) },
  {
    op: "Pad",
    label: "reflect",
    inputs: [[3, 4]],
    constants: lists([1, 0, 2, 3]),
    attributes: { mode: "reflect" },
  },
  {
    op: "Pad",
    label: "edge",
    inputs: [[2, 3, 4]],
    constants: lists([1, 2, 0, 0, 0, 3]),
    attributes: { mode: "edge" },
  },
  { op: "Tile", label: "", inputs: [volume], constants: lists([2, 1, 3]) },
  { op: "CumSum", label: "", inputs: [[3, 4]], constants: scalar(1) },
  {
    op: "CumSum",
    label: "exclusive, from the end",
    inputs: [[3, 4]],
    constants: scalar(0),
    attributes: { exclusive: 1, reverse: 1 },
  },
  { op: "Trilu", label: "upper", inputs: [[2, 3, 4]] },
  {
    op: "Trilu",
    label: "lower, next diagonal",
    inputs: [[4, 4]],
    constants: scalar(1),
    attributes: { upper: 0 },
  },
  { op: "DepthToSpace", label: "DCR", inputs: [[2, 8, 2, 3]], attributes: { blocksize: 2 } },
  { op: "DepthToSpace", label: "CRD", inputs: [[1, 8, 2, 3]], attributes: { blocksize: 2, mode: "CRD" } },
  { op: "SpaceToDepth", label: "", inputs: [[2, 3, 4, 6]], attributes: { blocksize: 2 } },
  {
    op: "Gather",
    label: "rows, twice the same",
    inputs: [[5, 3]],
    constants: indices([2, 2], [1, 4, 1, -5]),
  },
  {
    op: "Gather",
    label: "inner axis",
    inputs: [volume],
    constants: indices([2], [2, 0]),
    attributes: { axis: 1 },
  },
  { op: "Gather", label: "one element", inputs: [volume], constants: scalar(2), attributes: { axis: 2 } },
  {
    op: "GatherElements",
    label: "",
    inputs: [[3, 4]],
    constants: indices([3, 2], [1, 1, 0, 3, 2, 2]),
    attributes: { axis: 1 },
  },
  {
    op: "GatherND",
    label: "batch_dims",
    inputs: [[2, 3, 4, 2]],
    constants: indices([2, 3, 2, 1], [1, 1, 0, 3, 2, 2, 3, 0, 1, 0, 2, 1]),
    attributes: { batch_dims: 2 },
  },
  { op: "GatherND", label: "rows", inputs: [volume], constants: indices([3, 2], [0, 1, 1, 2, 0, 1]) },
  {
    op: "ScatterND",
    label: "",
    inputs: [
      [4, 3],
      [2, 3],
    ],
    constants: indices([2, 1], [3, 1]),
    order: ["x0", "indices", "x1"],
  },
  {
    op: "ScatterND",
    label: "add",
    inputs: [
      [4, 3],
      [3, 3],
    ],
    constants: indices([3, 1], [3, 1, 3]),
    order: ["x0", "indices", "x1"],
    attributes: { reduction: "add" },
  },
  {
    op: "ScatterElements",
    label: "",
    inputs: [
      [3, 4],
      [2, 2],
    ],
    constants: indices([2, 2], [1, 3, 0, 2]),
    order: ["x0", "indices", "x1"],
    attributes: { axis: 1 },
  },
  {
    op: "ScatterElements",
    label: "add",
    inputs: [
      [3, 4],
      [2, 2],
    ],
    constants: indices([2, 2], [1, 1, 0, 2]),
    order: ["x0", "indices", "x1"],
    attributes: { reduction: "add", axis: 1 },
  },
];
