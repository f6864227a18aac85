import { failure, seededRandom, type SeededRandom } from "@tributary/core";
import { dirichlet } from "./dirichlet.ts";
import type { PartitionSpec } from "./parse-partition.ts";
import { pick, pilesByLabel, rowsInRandomOrder, type Piles } from "./piles.ts";

/** Which rows of a data set each client has. */
export interface Partition {
  readonly clients: number;
  countOf(client: number): number;
  rowsOf(client: number): Uint32Array;
}

export interface PartitionedData {
  /** Of all rows. */
  readonly labels: ArrayLike<number>;
  /** For each row, the number of its value in the column that `by` names, from 0; and how many values there are. */
  readonly groups?: { readonly of: Uint32Array; readonly count: number };
}

export interface PartitionOptions {
  readonly spec: PartitionSpec;
  readonly clients: number;
  readonly seed: string;
  /** Of a client where there are more clients than rows: then each draws its own, with replacement. */
  readonly examplesPerClient: number;
}

/**
 * Deals the rows of a data set out. Each row goes to one client at most; the whole is two compact arrays, however many
 * clients there are. With more clients than rows (`iid` and `dirichlet`), each draws its own rows when it is asked for
 * them, which takes no memory at all.
 *
 * @throws `simulator/invalid-partition`
 */
export function partition(data: PartitionedData, options: PartitionOptions): Partition {
  const { spec, clients, seed } = options;
  const rows = data.labels.length;
  const random = seededRandom(seed).fork("simulator/partition");
  switch (spec.kind) {
    case "iid":
      if (clients > rows) {
        return drawn(options, random, (own, count) =>
          Uint32Array.from({ length: count }, () => own.integer(rows)),
        );
      }
      return dealt(evenOffsets(rows, clients), rowsInRandomOrder(rows, random));
    case "dirichlet":
      return clients > rows
        ? drawnByDirichlet(data, options, spec.alpha, random)
        : dealtByDirichlet(data, options, spec.alpha, random);
    case "shards":
      return shards(data, options, spec.perClient, random);
    case "power-law": {
      if (clients > rows) throw tooFew(spec.kind, rows, clients);
      return dealt(powerLawOffsets(rows, clients, spec.exponent, random), rowsInRandomOrder(rows, random));
    }
    case "by":
      return byGroup(data, options, spec.column, random);
    default: {
      const never: never = spec;
      throw new TypeError(`partition: no such kind ${String(never)}`);
    }
  }
}

/** Client i has the rows between offsets i and i + 1. */
function dealt(offsets: Uint32Array, rows: Uint32Array): Partition {
  return {
    clients: offsets.length - 1,
    countOf: (client) => offsets[client + 1]! - offsets[client]!,
    rowsOf: (client) => rows.slice(offsets[client], offsets[client + 1]),
  };
}

function drawn(
  { clients, examplesPerClient }: PartitionOptions,
  random: SeededRandom,
  draw: (own: SeededRandom, count: number) => Uint32Array,
): Partition {
  return {
    clients,
    countOf: () => examplesPerClient,
    rowsOf: (client) => draw(random.fork(`client ${client}`), examplesPerClient),
  };
}

/** Sizes that differ by one at most. */
function evenOffsets(rows: number, clients: number): Uint32Array {
  return Uint32Array.from({ length: clients + 1 }, (_, client) => Math.floor((client * rows) / clients));
}

function drawnByDirichlet(
  { labels }: PartitionedData,
  options: PartitionOptions,
  alpha: number,
  random: SeededRandom,
): Partition {
  const piles = pilesByLabel(labels, random);
  const prior = priorOf(piles, alpha, labels.length);
  return drawn(options, random, (own, count) => {
    const weights = dirichlet(prior, own);
    return Uint32Array.from({ length: count }, () => {
      const pile = piles.rows[pick(weights, own.next())]!;
      return pile[own.integer(pile.length)]!;
    });
  });
}

/** alpha for each label where all are as frequent; in proportion to their frequency where they are not. */
function priorOf({ rows }: Piles, alpha: number, total: number): number[] {
  return rows.map((pile) => (alpha * rows.length * pile.length) / total);
}

/** Client after client takes its rows from the piles of the labels; from any where its own are used up. */
function dealtByDirichlet(
  { labels }: PartitionedData,
  { clients }: PartitionOptions,
  alpha: number,
  random: SeededRandom,
): Partition {
  const piles = pilesByLabel(labels, random);
  const left = piles.rows.map((pile) => pile.length);
  const prior = priorOf(piles, alpha, labels.length);
  const offsets = evenOffsets(labels.length, clients);
  const rows = new Uint32Array(labels.length);
  for (let client = 0; client < clients; client++) {
    const own = random.fork(`client ${client}`);
    const weights = dirichlet(prior, own);
    for (let at = offsets[client]!; at < offsets[client + 1]!; at++) {
      const open = weights.map((weight, i) => (left[i]! > 0 ? weight : 0));
      const some = open.some((weight) => weight > 0);
      const chosen = pick(some ? open : left, own.next());
      rows[at] = piles.rows[chosen]![--left[chosen]!]!;
    }
  }
  return dealt(offsets, rows);
}

/** The rows in order of their labels, cut into clients x perClient shards, which are dealt out at random. */
function shards(
  { labels }: PartitionedData,
  { clients }: PartitionOptions,
  perClient: number,
  random: SeededRandom,
): Partition {
  const total = clients * perClient;
  if (total > labels.length) throw tooFew(`shards:${perClient}`, labels.length, clients);
  const sorted = Uint32Array.from(pilesByLabel(labels, random).rows.flatMap((pile) => [...pile]));
  const cuts = evenOffsets(labels.length, total);
  const order = rowsInRandomOrder(total, random);
  const offsets = new Uint32Array(clients + 1);
  const rows = new Uint32Array(labels.length);
  let at = 0;
  for (let client = 0; client < clients; client++) {
    for (let i = 0; i < perClient; i++) {
      const shard = order[client * perClient + i]!;
      const own = sorted.subarray(cuts[shard], cuts[shard + 1]);
      rows.set(own, at);
      at += own.length;
    }
    offsets[client + 1] = at;
  }
  return dealt(offsets, rows);
}

/** Each client has one row; the rest goes by weight, the largest remainders first, to clients in random order. */
function powerLawOffsets(rows: number, clients: number, exponent: number, random: SeededRandom): Uint32Array {
  const weights = Float64Array.from({ length: clients }, (_, rank) => (rank + 1) ** -exponent);
  const total = weights.reduce((a, b) => a + b, 0);
  const shares = weights.map((weight) => (weight / total) * (rows - clients));
  const sizes = Uint32Array.from(shares, (share) => 1 + Math.floor(share));
  const remainders = Array.from({ length: clients }, (_, rank) => rank).toSorted(
    (a, b) => (shares[b]! % 1) - (shares[a]! % 1) || a - b,
  );
  const missing = rows - sizes.reduce((a, b) => a + b, 0);
  for (const rank of remainders.slice(0, missing)) sizes[rank]! += 1;
  const order = rowsInRandomOrder(clients, random);
  const offsets = new Uint32Array(clients + 1);
  for (let client = 0; client < clients; client++) {
    offsets[client + 1] = offsets[client]! + sizes[order[client]!]!;
  }
  return offsets;
}

function byGroup(
  { groups }: PartitionedData,
  { clients }: PartitionOptions,
  column: string,
  random: SeededRandom,
): Partition {
  if (groups === undefined) {
    throw failure(
      "simulator/invalid-partition",
      `partition "by:${column}": this data set has no such column; CSV and JSON Lines have columns, safetensors a tensor [N] of that name`,
      { detail: { partition: `by:${column}` } },
    );
  }
  if (clients > groups.count) {
    throw failure(
      "simulator/invalid-partition",
      `partition "by:${column}": the column has ${groups.count} values, so there can be so many clients at most, got ${clients}`,
      { detail: { partition: `by:${column}`, clients, values: groups.count } },
    );
  }
  // Fewer clients than values: some values at random.
  const place = new Uint32Array(groups.count).fill(clients);
  rowsInRandomOrder(groups.count, random)
    .subarray(0, clients)
    .toSorted()
    .forEach((group, client) => (place[group] = client));
  const offsets = new Uint32Array(clients + 1);
  for (const group of groups.of) if (place[group]! < clients) offsets[place[group]! + 1]! += 1;
  for (let client = 0; client < clients; client++) offsets[client + 1]! += offsets[client]!;
  const filled = offsets.slice();
  const rows = new Uint32Array(offsets[clients]!);
  groups.of.forEach((group, row) => {
    const client = place[group]!;
    if (client < clients) rows[filled[client]!++] = row;
  });
  return dealt(offsets, rows);
}

function tooFew(kind: string, rows: number, clients: number): Error {
  return failure(
    "simulator/invalid-partition",
    `partition "${kind}": ${rows} examples are too few for ${clients} clients; ask for fewer clients, or for iid or dirichlet:ALPHA, where more clients than examples draw with replacement`,
    { detail: { partition: kind, clients, rows } },
  );
}
