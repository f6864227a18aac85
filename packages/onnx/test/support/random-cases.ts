import fc from "fast-check";
import type { AttributeLiteral } from "../../src/ir/attributes.ts";
import type { RuleCase, RuleConstant } from "./rule-cases.ts";

/** A case without the label, which is made of the rest: what is drawn from it hangs on the label. */
type Draft = Omit<RuleCase, "label">;

const size = fc.integer({ min: 1, max: 4 });
const shape = (minLength: number, maxLength: number): fc.Arbitrary<number[]> =>
  fc.array(size, { minLength, maxLength });
const int64s = (values: readonly number[]): RuleConstant => ({
  type: "int64",
  shape: [values.length],
  values,
});
const flag = fc.integer({ min: 0, max: 1 });
const real = (min: number, max: number): fc.Arbitrary<{ float: number }> =>
  fc.integer({ min: min * 100, max: max * 100 }).map((value) => ({ float: value / 100 }));
/** One value for each of so many axes. */
const perAxis = (rank: number, min: number, max: number): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min, max }), { minLength: rank, maxLength: rank });

/** Two shapes that broadcast: some axes of each are 1, and one has fewer. */
const broadcast = fc
  .tuple(shape(0, 4), fc.nat(4), fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }))
  .map(([whole, cut, ones]) => {
    const left = whole.map((dim, i) => (ones[i] === true ? 1 : dim));
    const right = whole.map((dim, i) => (ones[i + 4] === true ? 1 : dim)).slice(Math.min(cut, whole.length));
    return cut % 2 === 0 ? [left, right] : [right, left];
  });

const binary = fc.record({
  op: fc.constantFrom("Add", "Sub", "Mul", "Div", "Pow", "Min", "Max"),
  inputs: broadcast,
});
const elementwise: fc.Arbitrary<Draft> = fc.oneof(
  binary.map((draft): Draft => ({ ...draft, positive: true })),
  fc.record({
    op: fc.constantFrom(
      "Abs",
      "Erf",
      "Exp",
      "Relu",
      "Sigmoid",
      "Softplus",
      "Softsign",
      "Tanh",
      "HardSwish",
      "Mish",
    ),
    inputs: fc.tuple(shape(0, 3)),
  }),
  fc.record({
    op: fc.constantFrom("Elu", "Celu", "LeakyRelu", "ThresholdedRelu", "HardSigmoid"),
    inputs: fc.tuple(shape(1, 3)),
    attributes: fc.record({ alpha: real(0.2, 1.5) }),
  }),
);

const reduction: fc.Arbitrary<Draft> = shape(1, 4).chain((dims) =>
  fc.record({
    op: fc.constantFrom(
      "ReduceSum",
      "ReduceMean",
      "ReduceMax",
      "ReduceMin",
      "ReduceProd",
      "ReduceL1",
      "ReduceL2",
      "ReduceLogSum",
      "ReduceLogSumExp",
      "ReduceSumSquare",
    ),
    inputs: fc.constant([dims]),
    integers: fc.subarray([...dims.keys()], { minLength: 1 }),
    attributes: fc.record({ keepdims: flag }),
    positive: fc.constant(true),
  }),
);

interface WindowSizes {
  readonly kernel: number[];
  readonly strides: number[];
  readonly dilations: number[];
  readonly pads: number[];
  readonly inner: number[];
}

/** A window that fits its data, with pads smaller than itself. */
const windowOver = (rank: number, dilated: boolean): fc.Arbitrary<WindowSizes> =>
  fc
    .tuple(
      perAxis(rank, 1, 3),
      perAxis(rank, 1, 3),
      perAxis(rank, 1, dilated ? 2 : 1),
      perAxis(2 * rank, 0, 2),
      perAxis(rank, 0, rank === 3 ? 1 : 3),
    )
    .map(([kernel, strides, dilations, wanted, extra]) => ({
      kernel,
      strides,
      dilations,
      pads: wanted.map((pad, i) => Math.min(pad, kernel[i % rank]! - 1)),
      inner: kernel.map((width, i) => (width - 1) * dilations[i]! + 1 + extra[i]!),
    }));

const anyWindow = fc.integer({ min: 1, max: 3 }).chain((rank) => windowOver(rank, true));
const channels = fc.record({ group: size, inPerGroup: fc.integer({ min: 1, max: 3 }), outPerGroup: size });

const convolution: fc.Arbitrary<Draft> = fc
  .tuple(anyWindow, channels, fc.boolean(), fc.boolean())
  .map(([window, { group, inPerGroup, outPerGroup }, biased, transposed]): Draft => {
    const { kernel, strides, dilations, pads, inner } = window;
    const [inputs, outputs] = [group * inPerGroup, group * outPerGroup];
    const bias = biased ? [[outputs]] : [];
    const x = [1, inputs, ...inner];
    if (transposed) {
      // Pads cut what is made; less of them leaves some.
      const cut = pads.map((pad) => Math.min(pad, 1));
      const attributes = {
        strides,
        dilations,
        group,
        pads: cut,
        output_padding: strides.map((stride, i) => (i % 2 === 0 ? stride - 1 : 0)),
      };
      return { op: "ConvTranspose", inputs: [x, [inputs, outPerGroup, ...kernel], ...bias], attributes };
    }
    const attributes = { strides, dilations, group, pads };
    return { op: "Conv", inputs: [x, [outputs, inPerGroup, ...kernel], ...bias], attributes };
  });

const pooling: fc.Arbitrary<Draft> = fc
  .integer({ min: 1, max: 3 })
  .chain((rank) =>
    fc.tuple(
      windowOver(rank, false),
      fc.constantFrom("MaxPool", "AveragePool", "LpPool"),
      flag,
      flag,
      fc.integer({ min: 1, max: 3 }),
    ),
  )
  .map(([{ kernel, strides, pads, inner }, op, ceil, include, p]): Draft => {
    const own: Record<string, AttributeLiteral> =
      op === "LpPool" ? { p } : op === "AveragePool" && ceil === 0 ? { count_include_pad: include } : {};
    const attributes = { kernel_shape: kernel, strides, pads, ceil_mode: ceil, ...own };
    return { op: op as "MaxPool", inputs: [[1, 2, ...inner]], attributes };
  });

const product: fc.Arbitrary<Draft> = fc.oneof(
  fc.tuple(broadcast, size, size, size, flag, flag).map(([[a, b], m, k, n]): Draft => ({
    op: "MatMul",
    inputs: [
      [...a!, m, k],
      [...b!, k, n],
    ],
  })),
  fc
    .tuple(size, size, size, flag, flag, real(-2, 2), real(-2, 2), fc.constantFrom("full", "row", "column"))
    .map(([m, k, n, transA, transB, alpha, beta, bias]): Draft => ({
      op: "Gemm",
      inputs: [
        transA === 1 ? [k, m] : [m, k],
        transB === 1 ? [n, k] : [k, n],
        bias === "full" ? [m, n] : bias === "row" ? [n] : [m, 1],
      ],
      attributes: { transA, transB, alpha, beta },
    })),
  fc
    .constantFrom("ij,jk->ik", "bij,bkj->bik", "iij->j", "ij,ij->i", "abc->cb", "i,j,k->kij", "ii,ij->ij")
    .chain((equation) => {
      const terms = equation.split("->")[0]!.split(",");
      const letters = [...new Set(terms.join(""))];
      return perAxis(letters.length, 1, 4).map((sizes): Draft => ({
        op: "Einsum",
        inputs: terms.map((term) => Array.from(term, (letter) => sizes[letters.indexOf(letter)]!)),
        attributes: { equation },
      }));
    }),
);

const normalization: fc.Arbitrary<Draft> = fc.oneof(
  shape(2, 4).chain((dims) =>
    fc.nat(dims.length - 1).map((axis): Draft => ({
      op: "LayerNormalization",
      inputs: [
        [...dims, 3],
        [...dims.slice(axis), 3],
        [...dims.slice(axis), 3],
      ],
      attributes: { axis, epsilon: { float: 0.01 } },
    })),
  ),
  fc.tuple(size, size, shape(1, 2)).map(([groups, each, inner]): Draft => ({
    op: "GroupNormalization",
    inputs: [[2, groups * each, ...inner, 3], [groups * each], [groups * each]],
    attributes: { num_groups: groups, epsilon: { float: 0.01 } },
    opset: 21,
  })),
  shape(1, 4).chain((dims) =>
    fc.tuple(fc.constantFrom("Softmax", "LogSoftmax"), fc.nat(dims.length - 1)).map(([op, axis]): Draft => ({
      op: op as "Softmax",
      inputs: [dims],
      attributes: { axis },
    })),
  ),
);

const moving: fc.Arbitrary<Draft> = shape(1, 3).chain((dims): fc.Arbitrary<Draft> => {
  const rank = dims.length;
  const axis = fc.nat(rank - 1);
  return fc.oneof(
    fc.shuffledSubarray([...dims.keys()], { minLength: rank }).map((perm): Draft => ({
      op: "Transpose",
      inputs: [dims],
      attributes: { perm },
    })),
    perAxis(rank, 1, 3).map((repeats): Draft => ({
      op: "Tile",
      inputs: [dims],
      constants: { repeats: int64s(repeats) },
    })),
    fc.tuple(perAxis(2 * rank, 0, 2), fc.constantFrom("constant", "edge")).map(([pads, mode]): Draft => ({
      op: "Pad",
      inputs: [dims],
      constants: { pads: int64s(pads) },
      attributes: { mode },
    })),
    fc
      .tuple(axis, fc.integer({ min: -5, max: 5 }), fc.constantFrom(-2, -1, 1, 2))
      .map(([at, from, step]): Draft => {
        const far = step > 0 ? 100 : -100;
        const start = step > 0 ? Math.min(from, dims[at]! - 1) : from;
        // A start in front of the data would leave nothing.
        const first = step < 0 && start < -dims[at]! ? -1 : start;
        const lists = [[first], [far], [at], [step]].map(int64s);
        return {
          op: "Slice",
          inputs: [dims],
          constants: Object.fromEntries(lists.map((list, i) => [`list${i}`, list])),
        };
      }),
    fc.tuple(axis, fc.array(fc.nat(3), { minLength: 1, maxLength: 5 })).map(([at, picked]): Draft => ({
      op: "Gather",
      inputs: [dims],
      constants: { indices: int64s(picked.map((index) => index % dims[at]!)) },
      attributes: { axis: at },
    })),
    fc.tuple(axis, perAxis(3, 1, 3)).map(([at, sizes]): Draft => ({
      op: "Concat",
      inputs: sizes.map((length) => dims.with(at, length)),
      attributes: { axis: at },
    })),
    axis.map((at): Draft => ({
      op: "CumSum",
      inputs: [dims],
      constants: { axis: { type: "int64", shape: [], values: [at] } },
    })),
  );
});

const scaling: fc.Arbitrary<Draft> = fc
  .tuple(
    perAxis(2, 2, 5),
    fc.constantFrom("linear", "nearest"),
    fc.constantFrom("half_pixel", "asymmetric", "half_pixel_symmetric"),
    // Places half-way between elements are a matter of rounding; these factors meet none.
    fc.constantFrom(0.6, 0.7, 1.3, 1.7, 2.1),
    fc.constantFrom(0.55, 1.9),
  )
  // A symmetric map meets the middle exactly, where nearest is a matter of rounding.
  .filter(([, mode, coordinates]) => mode === "linear" || coordinates !== "half_pixel_symmetric")
  .filter(([inner, , , height, width]) => inner[0]! * height >= 1 && inner[1]! * width >= 1)
  .map(([inner, mode, coordinates, height, width]): Draft => ({
    op: "Resize",
    inputs: [[1, 2, ...inner]],
    constants: { factors: { type: "float32", shape: [4], values: [1, 1, height, width] } },
    order: ["x0", "", "factors"],
    opset: 19,
    attributes: { mode, coordinate_transformation_mode: coordinates, nearest_mode: "floor" },
  }));

const sequence: fc.Arbitrary<Draft> = fc.oneof(
  fc
    .record({
      kind: fc.constantFrom(["RNN", 1] as const, ["GRU", 3] as const, ["LSTM", 4] as const),
      steps: size,
      batch: size,
      width: size,
      hidden: size,
      direction: fc.constantFrom("forward", "reverse", "bidirectional"),
      layout: flag,
    })
    .map(({ kind: [op, gates], steps, batch, width, hidden, direction, layout }): Draft => {
      const directions = direction === "bidirectional" ? 2 : 1;
      return {
        op,
        inputs: [
          layout === 1 ? [batch, steps, width] : [steps, batch, width],
          [directions, gates * hidden, width],
          [directions, gates * hidden, hidden],
          [directions, 2 * gates * hidden],
        ],
        outputs: 2,
        attributes: { hidden_size: hidden, direction, layout },
      };
    }),
  fc
    .tuple(perAxis(6, 1, 3), flag, fc.constantFrom(0, 0.5))
    .map(([[batch, groups, each, length, others, width], causal, cap]): Draft => ({
      op: "Attention",
      inputs: [
        [batch!, groups! * each!, length!, width! + 1],
        [batch!, groups!, others!, width! + 1],
        [batch!, groups!, others!, 2],
      ],
      attributes: { is_causal: causal, softcap: { float: cap } },
      opset: 23,
    })),
);

function labelled(drafts: fc.Arbitrary<Draft>): fc.Arbitrary<RuleCase> {
  return drafts.map((draft) => ({ ...draft, label: JSON.stringify(draft) }));
}

/** Cases of random shapes and attributes, by what they are about. */
export const RANDOM_CASES: readonly (readonly [string, fc.Arbitrary<RuleCase>])[] = Object.entries({
  "element-wise operators": elementwise as fc.Arbitrary<Draft>,
  reductions: reduction as fc.Arbitrary<Draft>,
  convolutions: convolution,
  pools: pooling,
  products: product,
  normalizations: normalization,
  "operators that move elements": moving,
  resizing: scaling,
  "recurrent layers and attention": sequence,
}).map(([name, drafts]) => [name, labelled(drafts)] as const);
