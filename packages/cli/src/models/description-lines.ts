import type { ModelDescription, ParameterDescription, ValueDescription } from "@tributary/onnx";
import { counted } from "../counted.ts";
import { tableLines, type TableColumn } from "../table.ts";

type Port = ValueDescription & { readonly direction: "input" | "output" };

const PORTS: readonly TableColumn<Port>[] = [
  { title: "port", cell: ({ direction }) => direction },
  { title: "name", cell: ({ name }) => name },
  { title: "dtype", cell: ({ elementType }) => elementType },
  { title: "shape", cell: ({ shape }) => shapeText(shape) },
];

const count = (value: number): string => value.toLocaleString("en");

/** What `tributary describe` prints: a summary, then tables of ports, operators and parameters. */
export function descriptionLines(description: ModelDescription): string[] {
  const { inputs, outputs, parameters, trainableParameters, ops, flops } = description;
  const ports: Port[] = [
    ...inputs.map((port) => ({ ...port, direction: "input" as const })),
    ...outputs.map((port) => ({ ...port, direction: "output" as const })),
  ];
  const reached = new Set(trainableParameters);
  const parameterColumns: readonly TableColumn<ParameterDescription>[] = [
    { title: "parameter", cell: ({ name }) => name },
    { title: "dtype", cell: ({ elementType }) => elementType },
    { title: "shape", cell: ({ shape }) => shapeText(shape) },
    { title: "elements", align: "right", cell: (parameter) => count(parameter.count) },
    { title: "trainable", cell: ({ name }) => (reached.has(name) ? "yes" : "no") },
  ];
  const operators = Object.entries(ops).map(([op, nodes]) => ({ op, nodes, flops: flops?.byOp[op] }));
  return [
    ...summary(description),
    "",
    ...tableLines(PORTS, ports),
    "",
    ...tableLines(
      [
        { title: "operator", cell: ({ op }) => op },
        { title: "nodes", align: "right", cell: ({ nodes }) => count(nodes) },
        { title: "FLOPs", align: "right", cell: (row) => (row.flops === undefined ? "-" : count(row.flops)) },
      ],
      operators,
    ),
    "",
    ...tableLines(parameterColumns, parameters),
  ];
}

/** Lines of a name and a value. */
function summary(description: ModelDescription): string[] {
  const { producer, irVersion, opset, otherDomains, flops, trainable, loss, reasons, obstacles } =
    description;
  const sets = [["ai.onnx", opset], ...Object.entries(otherDomains)].map(
    ([domain, version]) => `${domain} ${version}`,
  );
  const rows: (readonly [string, string])[] = [
    ["producer", producer === "" ? "not named" : producer],
    ["operators", `${sets.join(", ")} (IR ${irVersion})`],
    [
      "parameters",
      `${count(description.parameterCount)} in ${counted(description.parameters.length, "tensor")}`,
    ],
    [
      "FLOPs",
      flops === undefined ? "unknown: shapes contradict each other" : `${count(flops.total)} an example`,
    ],
    ["trainable", trainable ? `yes, with ${loss}` : `no: ${reasons.join("; ")}`],
    ...obstacles.map(({ node, advice }) => ["stopped by", `${node}: ${advice}`] as const),
  ];
  return rows.map(([name, value]) => `${name.padEnd(10)}  ${value}`);
}

function shapeText(shape: readonly (number | string)[] | undefined): string {
  return shape === undefined ? "unknown" : `[${shape.map((dim) => (dim === "" ? "?" : dim)).join(",")}]`;
}
