import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import type { SimulationReport } from "@tributary/simulator";
import { afterAll, expect, test } from "vitest";
import { barOf } from "../src/simulate/simulated-rounds.ts";
import { runMain } from "./run-main.ts";

const folder = mkdtempSync(join(tmpdir(), "tributary-simulate-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const model = join(folder, "linear.onnx");
writeFileSync(model, buildLinear({ seed: "cli" }));

function taskFile(name: string, secureAggregation: object): string {
  const file = join(folder, `${name}.json`);
  const cohort = { goalCount: 4, minimumCount: 3, trainDeadlineMs: 60_000 };
  const task = { name: "digits", model: "digits", rounds: 2, cohort, secureAggregation };
  writeFileSync(file, JSON.stringify(task));
  return file;
}
const plain = taskFile("plain", { mode: "off" });
const secure = taskFile("secure", { mode: "on", minimumCohort: 3 });

test("simulate prints a table, writes its results, and names a model that the files hold", async () => {
  const out = join(folder, "out");
  const options = ["--clients", "30", "--model", model, "--threads", "1", "--seed", "7", "--dropout", "0.2"];
  const { stdout, stderr, code } = await runMain("simulate", secure, ...options, "--out", out);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^round +version +base +offered/);
  expect(stdout).toMatch(/^2 rounds committed, \d+ abandoned, in [\d.]+ simulated minutes$/m);
  const digest = sha256(readFileSync(join(out, "model.onnx")));
  expect(stdout).toContain(`model ${digest}`);
  const report = JSON.parse(readFileSync(join(out, "results.json"), "utf8")) as SimulationReport;
  expect(report).toMatchObject({ modelDigest: digest, options: { clients: 30, seed: "7", dropout: 0.2 } });
  expect(report.weightsDigest).toBe(sha256(readFileSync(join(out, "weights.safetensors"))));
  expect(report.rounds.at(-1)).toMatchObject({ phase: "committed", secure: true });
  expect(readFileSync(join(out, "rounds.csv"), "utf8").split("\r\n")).toHaveLength(report.rounds.length + 2);
}, 120_000);

test("a table of one's own, a client for each value of a column, as one JSON object", async () => {
  const data = join(folder, "clinics.csv");
  const columns = Array.from({ length: 784 }, (_, i) => `p${i}`);
  const lines = Array.from({ length: 40 }, (_, row) =>
    [`clinic ${row % 4}`, ...columns.map((_, i) => ((i + row) % 10) / 10), row % 10].join(","),
  );
  writeFileSync(data, [["clinic", ...columns, "digit"].join(","), ...lines].join("\n"));
  const options = ["--clients", "4", "--model", model, "--threads", "1", "--rounds", "1", "--json"];
  const source = ["--dataset", data, "--label", "digit", "--partition", "by:clinic", "--held-out", "0.1"];
  const { stdout, stderr } = await runMain("simulate", plain, ...options, ...source);
  expect(stderr).toBe("");
  const report = JSON.parse(stdout) as SimulationReport;
  expect(report.rounds).toHaveLength(1);
  expect(report.rounds[0]).toMatchObject({ phase: "committed", reported: 4, numExamples: 36 });
}, 120_000);

test.each([
  [["--partition", "halves"], 2, /simulator\/invalid-partition.*|partition "halves": one of iid/],
  [["--partition", "by:writer"], 2, /every client of the built-in digits is a writer/],
  [["--clients", "2"], 2, /2 clients are fewer than the 3/],
  [["--dataset", join(tmpdir(), "no-such-folder")], 5, /there is no such file or folder/],
  [["--dropout", "1"], 2, /Expected a number from 0 to 0.95, got "1"/],
])("simulate %j says what is wrong", async (more, exit, message) => {
  const { stderr, code } = await runMain("simulate", plain, "--model", model, ...more);
  expect(stderr).toMatch(message);
  expect(code).toBe(exit);
});

test("the bar of a terminal says how far it is", () => {
  const progress = { round: 26, rounds: 50, phase: "training", ready: 7, goalCount: 10 } as const;
  expect(barOf(progress)).toBe("[############------------] round 26 of 50: training, 7 of 10 ready");
});
