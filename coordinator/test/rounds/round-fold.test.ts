import { createHash } from "node:crypto";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { localNorm, type Aggregation } from "@tributary/aggregation";
import { asDeviceId, asDigest, asRoundId, asTaskName, seededRandom } from "@tributary/core";
import { createMetrics, trainingMetrics } from "@tributary/metrics";
import { encodeUpdate } from "@tributary/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { codeOf } from "../../src/testing/index.ts";
import { ReportedFiles } from "../../src/rounds/reported-files.ts";
import { RoundFold, type Counted } from "../../src/rounds/round-fold.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const COUNTS = { weightCount: 40, statisticCount: 8 };
const signal = new AbortController().signal;
const AGGREGATIONS: readonly Aggregation[] = [
  { kind: "mean" },
  { kind: "normalised", norm: (numExamples) => localNorm({ steps: Math.ceil(numExamples / 8) }) },
];

/** An update in its file, as the round counts it. */
async function counted(files: ReportedFiles, index: number): Promise<Counted> {
  const random = seededRandom(index);
  const numExamples = 1 + random.integer(50);
  const metrics = [...createMetrics(trainingMetrics)].map(() => random.integer(100));
  const body = encodeUpdate(
    {
      roundId: asRoundId("digits-1"),
      task: asTaskName("digits"),
      schemaDigest: asDigest("a".repeat(64)),
      numExamples,
      metrics,
    },
    Float32Array.from({ length: 48 }, () => random.next() - 0.5),
  );
  const updateDigest = asDigest(createHash("sha256").update(body).digest("hex"));
  const device = asDeviceId(updateDigest.slice(0, 32));
  await files.open();
  const path = files.incoming(device);
  await writeFile(path, body);
  const file = await files.keep(
    { path, sizeBytes: body.length, remove: async () => {} },
    device,
    updateDigest,
  );
  const claim = { numExamples, updateDigest, sizeBytes: body.length };
  return { device, claim, file, checked: { numExamples, metrics: Float64Array.from(metrics), norm: 1 } };
}

const noRoot = (): never => {
  throw new TypeError("no strategy here compares with it");
};

function fold(aggregation: Aggregation, files: ReportedFiles, keptBytes: number): RoundFold {
  return new RoundFold(aggregation, COUNTS, {
    files,
    written: async () => {},
    rootUpdate: noRoot,
    keptBytes,
  });
}

test("a sum that is taken up anew, again and again, is the one of one update after the other, bit for bit", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...AGGREGATIONS),
      fc.integer({ min: 1, max: 24 }),
      fc.integer({ min: 1, max: 6_000 }),
      fc.array(fc.constantFrom("wait", "add", "crash"), { minLength: 24, maxLength: 24 }),
      async (aggregation, members, keptBytes, events) => {
        const [whole, broken] = [await temporaryFolder(), await temporaryFolder()];
        try {
          const one = fold(aggregation, new ReportedFiles(join(whole.path, "r")), 1e9);
          let files = new ReportedFiles(join(broken.path, "r"));
          let other = fold(aggregation, files, keptBytes);
          const all: Counted[] = [];
          let waiting: Counted[] = [];
          let numExamples = 0;
          for (let i = 0; i < members; i++) {
            await one.add([await counted(new ReportedFiles(join(whole.path, "r")), i)], 0);
            all.push(await counted(files, i));
            waiting.push(all[i]!);
            numExamples += all[i]!.checked.numExamples;
            if (events[i] === "add") await other.add(waiting.splice(0), 7 * i);
            if (events[i] !== "crash") continue;
            waiting = [];
            files = new ReportedFiles(join(broken.path, "r"));
            other = fold(aggregation, files, keptBytes);
            await files.removeOthers(all);
            const { missing, ...kept } = await other.restore(all);
            expect(kept.numExamples + missing.reduce((sum, { claim }) => sum + claim.numExamples, 0)).toBe(
              numExamples,
            );
            for (const each of missing) {
              const { checked } = all.find(({ device }) => device === each.device)!;
              waiting.push({ ...each, checked, file: await files.find(each) });
            }
          }
          await other.add(waiting, 0);
          expect(await other.mean(signal)).toEqual(await one.mean(signal));
        } finally {
          await whole.remove();
          await broken.remove();
        }
      },
    ),
    { numRuns: process.env["TRIBUTARY_TEST_FULL"] === "1" ? 300 : 12, seed: 5 },
  );
});

test("a kept sum takes the place of the files that are in it, and nothing but the same bytes is believed", async () => {
  const folder = await temporaryFolder();
  const files = new ReportedFiles(join(folder.path, "r"));
  const mean = fold({ kind: "mean" }, files, 1);
  const all: Counted[] = [];
  for (let i = 0; i < 9; i++) {
    all.push(await counted(files, i));
    await mean.add([all[i]!], 100);
  }
  const names = await readdir(join(folder.path, "r"));
  expect(names).toContain("sum");
  expect(names.length).toBeLessThan(9);

  const other = [all[1]!, all[0]!, ...all.slice(2)];
  expect(await codeOf(fold({ kind: "mean" }, files, 1).restore(other))).toBe("store/corrupt");
  const sum = await readFile(files.sumPath);
  const random = seededRandom("scratch");
  for (let i = 0; i < 50; i++) {
    const scratched = Buffer.from(sum);
    scratched[random.integer(sum.length)]! ^= 1 + random.integer(255);
    await writeFile(files.sumPath, i === 0 ? sum.subarray(0, 20) : scratched);
    expect(await codeOf(fold({ kind: "mean" }, files, 1).restore(all))).toBe("store/corrupt");
  }
  await folder.remove();
});
