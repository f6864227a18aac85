import { failure, seededRandom } from "@tributary/core";
import type { ExampleTable } from "@tributary/engine/examples";
import { dirichlet } from "../partitions/dirichlet.ts";
import { partition } from "../partitions/partition.ts";
import type { PartitionSpec } from "../partitions/parse-partition.ts";
import { sharedTable } from "../simulate/shared-table.ts";
import type { ClientData } from "./client-data.ts";
import type { SourceTable } from "./data-set.ts";

export interface ClientDataOptions {
  readonly spec: PartitionSpec;
  readonly clients: number;
  readonly seed: string;
  /** Examples of a client that draws or makes its own. */
  readonly examplesPerClient: number;
}

/**
 * A data set dealt out to clients.
 *
 * @throws `simulator/invalid-partition`
 */
export function clientDataOf({ table, groups }: SourceTable, options: ClientDataOptions): ClientData {
  const labels = labelsOf(table, options.spec);
  const parts = partition({ labels, ...(groups === undefined ? {} : { groups }) }, options);
  return {
    clients: parts.clients,
    table: sharedTable(table),
    seed: options.seed,
    countOf: (client) => parts.countOf(client),
    examplesOf: (client) => ({ type: "rows", rows: parts.rowsOf(client) }),
  };
}

/** Partitions by label need classes; the others only need to know how many rows there are. */
function labelsOf(table: ExampleTable, { kind }: PartitionSpec): ArrayLike<number> {
  const [column] = table.labels.values();
  if (column?.values instanceof Int32Array) return column.values;
  if (kind !== "dirichlet" && kind !== "shards") return new Uint8Array(table.count);
  throw failure(
    "simulator/invalid-partition",
    `partition "${kind}": it goes by classes, the labels of this data set are numbers; use iid, by:COLUMN or power-law:EXPONENT`,
    { detail: { partition: kind } },
  );
}

const UNIFORM = Object.freeze(Array.from({ length: 10 }, () => 1));

/**
 * The built-in digits: each client is a writer, who writes when it trains. A population of any size takes no memory.
 *
 * @throws `simulator/invalid-partition`
 */
export function digitsClientData({ spec, clients, seed, examplesPerClient }: ClientDataOptions): ClientData {
  if (spec.kind !== "iid" && spec.kind !== "dirichlet") {
    throw failure(
      "simulator/invalid-partition",
      `partition "${spec.kind}": every client of the built-in digits is a writer of its own; use iid or dirichlet:ALPHA for its labels`,
      { detail: { partition: spec.kind } },
    );
  }
  const random = seededRandom(seed).fork("simulator/digits");
  return {
    clients,
    table: null,
    seed,
    countOf: () => examplesPerClient,
    examplesOf: (writer) => ({
      type: "writer",
      writer,
      count: examplesPerClient,
      distribution:
        spec.kind === "iid"
          ? UNIFORM
          : [
              ...dirichlet(
                UNIFORM.map(() => spec.alpha),
                random.fork(`writer ${writer}`),
              ),
            ],
    }),
  };
}
