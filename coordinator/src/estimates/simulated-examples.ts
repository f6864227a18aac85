import { failure, seededRandom, type SeededRandom } from "@tributary/core";
import { exampleTable, readExampleTable, type ExampleTable } from "@tributary/engine/examples";
import type { EstimateFleet, TaskSpec } from "@tributary/protocol";
import {
  clientDataOf,
  parsePartition,
  tableShape,
  takeTrusted,
  type ClientData,
  type TableShape,
} from "@tributary/simulator";
import { allocate, elementCount, tensor, type Tensor } from "@tributary/tensor";
import type { EstimateJob } from "./estimate-messages.ts";

/** Of a data set, what versions are measured on, and never more than this. */
const HELD_OUT_SHARE = 0.2;
const MOST_HELD_OUT = 2_000;
/** Rows that are drawn where there is no data set. */
const RANDOM_ROWS = 512;
const RANDOM_CLASSES = 2;
/** How uneven the labels of devices are where they are skewed: Dirichlet's alpha, as in the literature. */
const SKEW = "dirichlet:0.3";

export interface SimulatedExamples {
  readonly data: ClientData;
  readonly heldOut: ExampleTable | undefined;
  readonly source: "evaluation" | "random";
  readonly drawnAgain: boolean;
}

/**
 * What simulated devices learn from: rows of the data set that the task's versions are measured on, of which some are held out; or,
 * where the task names none, random numbers of the model's shapes, which cost the same and say nothing of accuracy.
 *
 * @throws `dataset/*`, `simulator/invalid-partition`
 */
export function simulatedExamples(job: EstimateJob, seed: string): SimulatedExamples {
  const { dataset, spec, model, request } = job;
  const { fleet } = request;
  if (dataset === null) {
    const table = randomTable(tableShape(spec, model), classesOf(spec, model), seededRandom(seed));
    return { data: drawn(table, fleet, seed), heldOut: undefined, source: "random", drawnAgain: false };
  }
  const whole = readExampleTable(dataset);
  const out = Math.min(MOST_HELD_OUT, Math.floor(whole.count * HELD_OUT_SHARE));
  if (out < 1)
    throw failure("dataset/invalid", `estimate: a data set of at least 5 rows expected, got ${whole.count}`);
  const { rest, taken } = takeTrusted({ table: whole }, out, seed);
  const { count } = rest.table;
  const drawnAgain = count < fleet.devices * fleet.examplesPerDevice;
  if (fleet.labels === "alike")
    return { data: drawn(rest.table, fleet, seed), heldOut: taken, source: "evaluation", drawnAgain };
  // As many devices as there are rows for, each with its own.
  const clients = Math.max(1, Math.min(fleet.devices, Math.floor(count / fleet.examplesPerDevice)));
  const dealt = clientDataOf(rest, {
    spec: parsePartition(SKEW),
    clients,
    seed,
    examplesPerClient: fleet.examplesPerDevice,
  });
  return { data: repeated(dealt, fleet.devices), heldOut: taken, source: "evaluation", drawnAgain };
}

/** Each device draws its rows out of all of them, the same ones every round. */
function drawn(table: ExampleTable, fleet: EstimateFleet, seed: string): ClientData {
  const dealt = clientDataOf(
    { table },
    { spec: parsePartition("iid"), clients: 1, seed, examplesPerClient: 1 },
  );
  const random = seededRandom(seed).fork("estimate/rows");
  return {
    ...dealt,
    clients: fleet.devices,
    countOf: () => fleet.examplesPerDevice,
    examplesOf(client) {
      const own = random.fork(`device ${client}`);
      return {
        type: "rows",
        rows: Uint32Array.from({ length: fleet.examplesPerDevice }, () => own.integer(table.count)),
      };
    },
  };
}

/** More devices than there are rows for: some have the same. */
function repeated(dealt: ClientData, devices: number): ClientData {
  return {
    ...dealt,
    clients: devices,
    countOf: (client) => dealt.countOf(client % dealt.clients),
    examplesOf: (client) => dealt.examplesOf(client % dealt.clients),
  };
}

function randomTable(
  { inputs, classes, labelSize }: TableShape,
  most: number,
  random: SeededRandom,
): ExampleTable {
  const columns = inputs.map(({ name, dtype, shape }): readonly [string, Tensor] => {
    const row = shape.slice(1).map((size) => (size < 0 ? 1 : size));
    const data = allocate(dtype, RANDOM_ROWS * elementCount(row));
    // Whole numbers may be places in a table of unknown length: zero is one.
    if (dtype === "float32" || dtype === "float64")
      for (const i of (data as Float32Array).keys()) data[i] = random.next();
    return [name, tensor(dtype, [RANDOM_ROWS, ...row], data as never)];
  });
  const labels: Tensor = classes
    ? tensor(
        "int32",
        [RANDOM_ROWS],
        Int32Array.from({ length: RANDOM_ROWS }, () => random.integer(most)),
      )
    : tensor(
        "float32",
        [RANDOM_ROWS, labelSize],
        Float32Array.from({ length: RANDOM_ROWS * labelSize }, () => random.next()),
      );
  return exampleTable([...columns, ["labels", labels]]);
}

function classesOf(spec: TaskSpec, model: Uint8Array): number {
  const { classes, labelSize } = tableShape(spec, model);
  return classes ? Math.max(RANDOM_CLASSES, labelSize) : 0;
}
