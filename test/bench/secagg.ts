import { createCipheriv } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { parseArgs } from "node:util";
import { runInNewContext } from "node:vm";
import {
  addMasks,
  planEncoding,
  type CohortAssumptions,
  type EncodingPlan,
  type SecAggCrypto,
  type UnmaskWork,
} from "@tributary/secagg";
import { systemRandom } from "@tributary/core";
import { createMemberVerifier } from "@tributary/protocol";
import { openNodeSecAggCrypto } from "@tributary/secagg/node";
import { MaskAdder } from "../../packages/secagg/src/primitives/mask-adder.ts";
import { OPEN_STREAMS } from "../../packages/secagg/src/primitives/mask.ts";
import { createUnmasker } from "../../coordinator/src/rounds/secure/unmasker.ts";
import type { Benchmark, BenchmarkContext } from "../src/bench/benchmark.ts";
import { quantile } from "../src/bench/quantile.ts";
import { measureCohort, type CohortTimes } from "../src/bench/secagg-cohort.ts";
import { createMembers, type Members } from "../src/bench/secagg-members.ts";

/** Bonawitz et al. 2017, Java, one thread, 100,000 values of 24 bits, milliseconds. */
const PUBLISHED = [
  { clients: 500, dropout: 0, clientMs: 849, serverMs: 2018 },
  { clients: 500, dropout: 0.1, clientMs: 849, serverMs: 62_239 },
  { clients: 500, dropout: 0.3, clientMs: 849, serverMs: 143_389 },
  { clients: 1000, dropout: 0, clientMs: 1699, serverMs: 4887 },
  { clients: 1000, dropout: 0.1, clientMs: 1699, serverMs: 180_875 },
  { clients: 1000, dropout: 0.3, clientMs: 1699, serverMs: 413_767 },
] as const;

/** Cohorts up to this size may use the complete graph in this benchmark. */
const COMPLETE = 10_000;

const secagg: Benchmark = {
  name: "secagg",
  summary: "Secure aggregation: time of a client and of the server, and bytes, beside the published figures.",
  usage: "[--repeats 3] [--figures-only] [--masks 2000: expand at most so many in the table and scale]",
  async run(context) {
    const { values } = parseArgs({
      args: [...context.args],
      options: {
        repeats: { type: "string", default: "3" },
        masks: { type: "string", default: "2000" },
        "figures-only": { type: "boolean", default: false },
      },
    });
    const crypto = openNodeSecAggCrypto();
    const { figures, more } = await measureFigures(crypto, Number(values.repeats), context);
    const table = values["figures-only"] ? [] : await measureTable(crypto, Number(values.masks), context);
    return { results: { published: PUBLISHED, ...more, table }, figures, verdicts: verdicts(figures) };
  },
};
export default secagg;

const BOUNDS = {
  clientMaskMs500x100k: 60,
  clientMs500x100k: 150,
  serverMs500x100kDrop10: 3000,
  serverOverFloor: 1.6,
  bytesUpRatio1M: 1.15,
  serverVectorsHeld: 3,
} as const;

type Figures = Record<keyof typeof BOUNDS, number>;

function verdicts(figures: Figures): string[] {
  const names = Object.keys(BOUNDS) as (keyof typeof BOUNDS)[];
  return names.map((name) => {
    const met = figures[name] <= BOUNDS[name];
    return `${met ? "met   " : "MISSED"} ${name} ${figures[name].toPrecision(3)} (at most ${BOUNDS[name]})`;
  });
}

/** A model's update in 16 bits, with its weight and a loss. */
function encodingOf(clients: number, parameters: number): EncodingPlan {
  return planEncoding({
    clients,
    maxWeight: 1000,
    rotationSeed: "bench",
    segments: [
      { codec: "update", name: "update", count: parameters, bits: 16, bound: 1, rotationBlock: 0 },
      { codec: "counts", name: "counts", count: 12, maximum: 1000 },
      { codec: "reals", name: "loss", count: 1, bits: 16, minimum: 0, maximum: 1000 },
    ],
  });
}

/** Runs of a client that are thrown away: a device's code is warm by its second cohort. */
const WARM_UP = 3;
const CLIENT_RUNS = 12;

async function measureFigures(crypto: SecAggCrypto, repeats: number, { log }: BenchmarkContext) {
  // k = 76: the row for a tenth corrupt and three tenths lost.
  const assumptions: CohortAssumptions = { corruption: 0.1, dropout: 0.3, adversary: "curious" };
  const members = await createMembers(500);
  const small = encodingOf(500, 100_000);
  const cohort = { members, encoding: small, assumptions, dropout: 0.1 };
  const client = await measureClient(crypto, cohort);
  log(`client, members unknown: ${ms(total(client.unknown))} (${parts(client.unknown)})`);
  log(`client, members met before: ${ms(total(client.known))} (${parts(client.known)})`);

  // As a coordinator does it; its own heap is small, and buffers that come and go have less to be told from.
  const unmasker = createUnmasker({ maxThreads: 1 });
  const inItsThread = async (work: UnmaskWork): Promise<Uint32Array> => {
    const [sum] = await unmasker.unmask(work, { signal: new AbortController().signal, onProgress: () => {} });
    return sum!;
  };
  const runs: { readonly times: CohortTimes; readonly floorMs: number; readonly reusedMs: number }[] = [];
  for (let run = 0; run < repeats + 1; run++) {
    const times = await measureCohort(crypto, { ...cohort, unmask: inItsThread });
    const floorMs = floor(small, times.masks);
    const reusedMs = await floorOfReused(crypto, small, times.masks);
    // The first run only warms up.
    if (run === 0) continue;
    runs.push({ times, floorMs, reusedMs });
    log(
      `500 x 100k, k = ${times.degree}: server ${ms(total(times.server))}, floor ${ms(floorMs)}, floor of reused buffers ${ms(reusedMs)}`,
    );
    log(`  server ${parts(times.server)}`);
  }
  await unmasker.close();
  const median = (pick: (run: (typeof runs)[number]) => number): number => quantile(runs.map(pick), 0.5);
  const large = encodingOf(500, 1_000_000);
  const million = await measureCohort(crypto, { ...cohort, encoding: large, maxMasks: 8 });
  const figures: Figures = {
    clientMaskMs500x100k: client.unknown.maskInput,
    clientMs500x100k: total(client.unknown),
    serverMs500x100kDrop10: median(({ times }) => total(times.server)),
    serverOverFloor: median(({ times, floorMs }) => total(times.server) / floorMs),
    bytesUpRatio1M: million.bytesUp / large.packedBytes,
    serverVectorsHeld: await vectorsHeld(crypto, assumptions),
  };
  const more = {
    clientUnknownMembers: client.unknown,
    clientKnownMembers: client.known,
    clientMsKnownMembers500x100k: total(client.known),
    serverOverFloorOfReusedBuffers: median(({ times, reusedMs }) => total(times.server) / reusedMs),
  };
  return { figures, more };
}

type ClientTimes = CohortTimes["client"];

/** Medians by step, for a device that meets its members for the first time, and for one that met them before. */
async function measureClient(
  crypto: SecAggCrypto,
  cohort: Parameters<typeof measureCohort>[1],
): Promise<{ readonly unknown: ClientTimes; readonly known: ClientTimes }> {
  const unknown: ClientTimes[] = [];
  const known: ClientTimes[] = [];
  for (let run = 0; run < WARM_UP + CLIENT_RUNS; run++) {
    const verify = createMemberVerifier();
    for (const times of [unknown, known]) {
      const { client } = await measureCohort(crypto, { ...cohort, verify, maxMasks: 8 });
      if (run >= WARM_UP) times.push(client);
    }
  }
  return { unknown: medians(unknown), known: medians(known) };
}

function medians(runs: readonly ClientTimes[]): ClientTimes {
  const steps = Object.keys(runs[0]!) as (keyof ClientTimes)[];
  const median = (step: keyof ClientTimes): number =>
    quantile(
      runs.map((run) => run[step]),
      0.5,
    );
  return Object.fromEntries(steps.map((step) => [step, median(step)])) as Record<keyof ClientTimes, number>;
}

/** The same masks by AES-CTR in calls of the same size, plus the same adds, and nothing else: as one would write it. */
function floor({ vectorLength, layout }: EncodingPlan, masks: number): number {
  const vector = new Uint32Array(vectorLength);
  const adder = new MaskAdder(layout.chunks);
  const zeros = new Uint8Array(Math.max(...layout.chunks.map(({ byteLength }) => byteLength)));
  const keys = Array.from({ length: masks }, () => systemRandom.bytes(32));
  const from = performance.now();
  for (let first = 0; first < masks; first += OPEN_STREAMS) {
    const ciphers = keys
      .slice(first, first + OPEN_STREAMS)
      .map((key) => createCipheriv("aes-256-ctr", key, new Uint8Array(16)));
    for (const chunk of layout.chunks) {
      adder.load(vector, chunk);
      for (const cipher of ciphers) adder.add(chunk, cipher.update(zeros.subarray(0, chunk.byteLength)), 1);
      adder.store(vector, chunk);
    }
  }
  return performance.now() - from;
}

/** The product's own loop over masks, which gives key stream back at once. */
async function floorOfReused(crypto: SecAggCrypto, encoding: EncodingPlan, masks: number): Promise<number> {
  const binding = { salt: new Uint8Array(32), info: new Uint8Array(0) };
  const vector = new Uint32Array(encoding.vectorLength);
  const all = await Promise.all(
    Array.from({ length: masks }, async () => ({
      key: await crypto.masks.derive(systemRandom.bytes(32), binding),
      sign: 1 as const,
    })),
  );
  const from = performance.now();
  await addMasks(vector, all, encoding.layout);
  return performance.now() - from;
}

/** Vectors that a server still holds after its cohort reported, beside 1 MB for each 100 clients. */
async function vectorsHeld(crypto: SecAggCrypto, assumptions: CohortAssumptions): Promise<number> {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  // A buffer's memory is given back by the collection after the one that found it.
  const collect = (): void => {
    for (let i = 0; i < 4; i++) gc();
  };
  const clients = 300;
  const members = await createMembers(clients);
  const encoding = encodingOf(clients, 1_000_000);
  collect();
  const before = process.memoryUsage().arrayBuffers;
  let held = 0;
  await measureCohort(crypto, {
    members,
    encoding,
    assumptions,
    dropout: 0,
    maxMasks: 4,
    onServerMemory: () => {
      collect();
      held = Math.max(held, process.memoryUsage().arrayBuffers - before);
    },
  });
  return Math.max(0, held - clients * 10_000) / (4 * encoding.vectorLength);
}

async function measureTable(crypto: SecAggCrypto, maxMasks: number, { log }: BenchmarkContext) {
  const rows = [];
  const membersOf = new Map<number, Members>();
  for (const clients of [100, 500, 1000]) membersOf.set(clients, await createMembers(clients));
  for (const parameters of [100_000, 1_000_000]) {
    for (const clients of [100, 500, 1000]) {
      for (const dropout of [0, 0.1, 0.3]) {
        for (const graph of ["complete", "k-regular"] as const) {
          if (graph === "k-regular" && clients === 100) continue;
          const times = await measureCohort(crypto, {
            members: membersOf.get(clients)!,
            encoding: encodingOf(clients, parameters),
            assumptions: {
              corruption: 0.1,
              dropout: Math.max(0.1, dropout),
              adversary: "curious",
              ...(graph === "complete" ? { regularFrom: COMPLETE } : {}),
            },
            dropout,
            maxMasks: (maxMasks * 100_000) / parameters,
          });
          rows.push({
            clients,
            parameters,
            dropout,
            graph,
            degree: times.degree,
            clientMs: total(times.client),
            serverMs: total(times.server),
            masks: times.masks,
            masksMeasured: times.masksMeasured,
            bytesUp: times.bytesUp,
            bytesDown: times.bytesDown,
            client: times.client,
            server: times.server,
          });
          const theirs = PUBLISHED.find((row) => row.clients === clients && row.dropout === dropout);
          log(
            `${clients} x ${parameters / 1000}k, ${dropout * 100} % lost, ${graph} (${times.degree}): client ${ms(total(times.client))}, server ${ms(total(times.server))}${times.masks > times.masksMeasured ? ` (scaled from ${times.masksMeasured} of ${times.masks} masks)` : ""}, up ${(times.bytesUp / 1e6).toFixed(2)} MB${theirs === undefined || parameters !== 100_000 ? "" : `; published: client ${ms(theirs.clientMs)}, server ${ms(theirs.serverMs)}`}`,
          );
        }
      }
    }
  }
  return rows;
}

function total(times: Readonly<Record<string, number>>): number {
  return Object.values(times).reduce((sum, value) => sum + value, 0);
}

function parts(times: Readonly<Record<string, number>>): string {
  return Object.entries(times)
    .map(([name, value]) => `${name} ${ms(value)}`)
    .join(", ");
}

function ms(value: number): string {
  return `${value.toFixed(value < 100 ? 1 : 0)} ms`;
}
