import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiClient, type ApiClient, type RoundView } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { readEventFile } from "@tributary/metrics/tensorboard";
import { buildLinear } from "@tributary/onnx";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkCoordinator } from "../src/doctor/coordinator.ts";
import { findingLines, type Finding } from "../src/doctor/finding.ts";
import { EXIT_CODES } from "../src/exit-codes.ts";
import { roundLines } from "../src/rounds/round-lines.ts";
import { CLI_VERSION } from "../src/version.ts";
import { runMain } from "./run-main.ts";

let dataDir: string;
let coordinator: Coordinator;
let api: ApiClient;
let at: readonly string[];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-operation-"));
  coordinator = await createCoordinator({ dataDir, port: 0 });
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  at = ["--url", coordinator.url, "--data-dir", dataDir];
  for (const seed of [1, 2, 3]) await api.publishModel("digits", buildLinear({ seed }));
});

afterAll(async () => {
  await coordinator?.close();
  await rm(dataDir, { recursive: true });
});

const json = async (...args: string[]): Promise<unknown> =>
  JSON.parse((await runMain(...args, "--json", ...at)).stdout);

test("rollback puts a channel back to the last older version that it had, and past those that were withdrawn", async () => {
  const asked = await runMain("rollback", "digits", ...at);
  expect(asked.code).toBe(EXIT_CODES.misuse);
  expect(asked.stderr).toMatch(/go from version 3 to 2\. Say so with --yes/);
  await api.withdrawVersion("digits", 2, "it calls a 1 a 7");
  expect(await runMain("rollback", "digits", "--yes", ...at)).toMatchObject({
    code: EXIT_CODES.done,
    stdout: "stable of digits points to version 1 instead of 3\n",
  });
  const none = await runMain("rollback", "digits", "--yes", ...at);
  expect(none.code).toBe(EXIT_CODES.failed);
  expect(none.stderr).toMatch(/cli\/no-version-before.*--to/);
  expect((await runMain("rollback", "digits", "--channel", "beta", ...at)).code).toBe(EXIT_CODES.notFound);
  expect(await json("rollback", "digits", "--to", "3", "--yes")).toEqual({
    model: "digits",
    channel: "stable",
    from: 1,
    version: 3,
    missingSignatures: [],
  });
  const { history } = await api.channelHistory("digits", "stable");
  expect(history.map(({ version }) => version)).toEqual([3, 1, 2]);
  expect(await json("versions", "digits")).toMatchObject({
    versions: [{ version: 3 }, { version: 2 }, { version: 1 }],
  });
});

test("task watch ends when the task does; rounds lists what there was", async () => {
  await api.createTask({ name: "digits", model: "digits", secureAggregation: { mode: "off" } });
  const watching = runMain("task", "watch", "digits", ...at);
  await api.setTaskState("digits", { state: "paused" });
  expect(await watching).toMatchObject({ code: EXIT_CODES.done });
  expect((await runMain("task", "watch", "other", ...at)).code).toBe(EXIT_CODES.notFound);
  expect((await runMain("task", "list", ...at)).stdout).toMatch(
    /^digits +paused .* version 3 of digits, loss/,
  );
  const { rounds } = (await json("rounds", "digits")) as { readonly rounds: readonly RoundView[] };
  expect(rounds).toMatchObject([{ number: 1, phase: "abandoned" }]);
  expect((await runMain("rounds", "digits", ...at)).stdout).toMatch(
    /^round +version[^\n]+\n +1 .*abandoned: /,
  );
  const one = (await runMain("rounds", "digits", "1", ...at)).stdout;
  expect(one).toMatch(/^digits-1: train digits, from version 3\n {2}round 1: abandoned/);
  expect((await runMain("rounds", "digits", "9", ...at)).code).toBe(EXIT_CODES.notFound);
  expect((await runMain("rounds", "digits", "--before", "1", ...at)).stdout).toBe(
    "digits has no round before 1\n",
  );
  expect((await runMain("versions", "digits", "--before", "1", ...at)).stdout).toBe(
    "digits has no version before 1\n",
  );
  const paged = await runMain("versions", "digits", "--limit", "1", ...at);
  expect(paged.stdout).toMatch(/\nthere is more: --before 3\n$/);
  for (const command of ["rounds", "versions"]) {
    const wrong = await runMain(command, "digits", "--before", "0", ...at);
    expect(wrong.code).toBe(EXIT_CODES.misuse);
    expect(wrong.stderr).toMatch(
      /--before <number>' argument '0' is invalid\. Expected a whole number from 1/,
    );
  }
});

test("task export writes the rounds of a task once, and says what it lacks", async () => {
  const out = join(dataDir, "runs");
  const first = await runMain("task", "export", "digits", "--out", out, ...at);
  expect(first).toMatchObject({ code: EXIT_CODES.done, stderr: "" });
  expect(first.stdout).toBe(`digits: 1 round to ${out}\n`);
  const [file] = await readdir(join(out, "digits"));
  expect(readEventFile(await readFile(join(out, "digits", file!))).step).toBe(1);
  expect(await json("task", "export", "digits", "--out", out)).toEqual({
    format: "tensorboard",
    where: out,
    tasks: [{ task: "digits", rounds: 0 }],
  });
  expect((await runMain("task", "export", "digits", ...at)).code).toBe(EXIT_CODES.misuse);
  expect((await runMain("task", "export", "other", "--out", out, ...at)).code).toBe(EXIT_CODES.notFound);
});

test("a secure round tells what was seen, and who was lost where", () => {
  const round = {
    id: "digits-2",
    model: "digits",
    purpose: "train",
    number: 2,
    phase: "committed",
    baseVersion: 3,
    version: 4,
    startedAt: "2026-11-01T10:00:00.000Z",
    endedAt: "2026-11-01T10:00:20.000Z",
    deadlineAt: null,
    offered: 30,
    ready: 24,
    cohort: 20,
    reported: 18,
    dropouts: 2,
    refused: 0,
    numExamples: 900,
    trainLoss: 0.5,
    trainAccuracy: 0.8,
    loss: 0.4,
    accuracy: 0.875,
    bytesUp: 1_500_000,
    bytesDown: 900,
    seconds: 20,
    reason: null,
    secure: {
      step: "done",
      cohort: 20,
      threshold: 16,
      survivors: 18,
      lost: { advertise: 0, share: 0, mask: 2, sign: 0, unmask: 0 },
      private: true,
      unmasked: 1,
    },
  } as unknown as RoundView;
  const refusal = {
    device: "0123456789abcdef0123456789abcdef",
    code: "update/not-finite",
    detail: {},
    at: round.startedAt,
  };
  expect(roundLines(round, [refusal])).toEqual([
    "digits-2: train digits, from version 3",
    "  round 2: committed as version 4",
    "  began 2026-11-01T10:00:00.000Z, ended 2026-11-01T10:00:20.000Z, 20.0 s",
    "  cohort    30 offered, 24 ready, 20 asked to report, 18 reported, 2 dropped out, 0 refused",
    "  secure    the sum alone was seen: 18 of 20 in the sum, at least 16 needed; lost 2 at mask",
    "  examples  900",
    "  training  loss 0.5000, accuracy 80.0 %",
    "  measured  loss 0.4000, accuracy 87.5 %",
    "  traffic   1.5 MB up, 900 B down",
    "  refused   2026-11-01T10:00:00.000Z  0123456789abcdef0123456789abcdef  update/not-finite",
  ]);
});

const of = (findings: readonly Finding[], check: string): Finding | undefined =>
  findings.find((finding) => finding.check === check);

test("doctor finds a coordinator well, and tells of a root key that lies beside the others", async () => {
  const result = await runMain("doctor", ...at);
  expect(result.code).toBe(EXIT_CODES.done);
  const { findings } = (await json("doctor")) as { readonly findings: readonly Finding[] };
  expect(findings.filter(({ verdict }) => verdict === "problem")).toEqual([]);
  expect(of(findings, "root key")?.verdict).toBe("warning");
  for (const check of [
    "Node",
    "better-sqlite3",
    "onnxruntime-node",
    "secrets",
    "database",
    "coordinator",
    "clock",
    "token",
  ])
    expect(of(findings, check), check).toMatchObject({ verdict: "ok" });
  expect(of(findings, "process")?.text).toMatch(`process ${process.pid}, which runs`);
});

test("doctor finds secrets that others may read, and an address where nobody answers", async () => {
  const token = join(dataDir, "operator-token");
  await chmod(token, 0o644);
  try {
    const nobody = ["--data-dir", dataDir, "--url", "http://127.0.0.1:9"];
    const result = await runMain("doctor", "--json", ...nobody);
    expect(result.code).toBe(EXIT_CODES.failed);
    const { findings, problems } = JSON.parse(result.stdout) as {
      readonly findings: readonly Finding[];
      readonly problems: number;
    };
    expect(problems).toBe(2);
    expect(of(findings, "secrets")).toMatchObject({
      verdict: "problem",
      text: expect.stringContaining(token),
    });
    expect(of(findings, "coordinator")?.text).toMatch(/transport\/connect-failed/);
  } finally {
    await chmod(token, 0o600);
  }
  const local = (folder: string) => runMain("doctor", "--local", "--data-dir", folder);
  const none = await local(join(dataDir, "blobs"));
  expect(none.code).toBe(EXIT_CODES.failed);
  expect(none.stdout).toMatch(/^problem +data directory +\S+ is none: it has neither a database/m);
  await mkdir(join(dataDir, "empty"));
  expect((await local(join(dataDir, "empty"))).stdout).toMatch(/^warning +data directory +\S+ is empty$/m);
  const elsewhere = (await local(join(dataDir, "none"))).stdout;
  expect(elsewhere).toMatch(/^warning +data directory +\S+ is not there\n +tributary serve makes it/m);
});

test("doctor finds clocks apart, no token, and another version", async () => {
  const { url } = coordinator;
  const findings = await checkCoordinator({
    url,
    token: undefined,
    api,
    cliVersion: `${CLI_VERSION}9`,
    now: () => Date.now() + 90_000,
  });
  expect(of(findings, "clock")).toMatchObject({
    verdict: "problem",
    text: "the coordinator's is 90 s behind",
  });
  expect(of(findings, "token")).toMatchObject({ verdict: "warning" });
  expect(of(findings, "version")).toMatchObject({ verdict: "warning" });
  expect(findingLines(findings)[0]).toMatch(/^ok {7}coordinator {2}tributary at/);
});
