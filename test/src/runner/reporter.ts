import { writeFileSync } from "node:fs";
import type { Reporter, TestCase, TestModule } from "vitest/node";

type UserConsoleLog = Parameters<NonNullable<Reporter["onUserConsoleLog"]>>[0];

/** What one project's run came to, handed to the parent process by file. */
export interface ProjectSummary {
  passed: number;
  failed: number;
  /** Each test that failed, with the first line of why; and each file that could not run. */
  failures: { name: string; why: string }[];
  /** Files and how long each took, in seconds; longest first, at most ten. */
  slowest: { file: string; seconds: number }[];
  skipped: { name: string; reason: string | undefined }[];
}

/** A test file that skips for want of something prints why on a line of its own that begins so. */
const REASON = /^skipped: (.+)$/m;

/**
 * Counts results and keeps the reason of every skipped test: the note of `context.skip(note)`, or what its file printed.
 * Writes them where `TRIBUTARY_TEST_SUMMARY` says.
 */
export default class SummaryReporter implements Reporter {
  readonly #summary: ProjectSummary = {
    passed: 0,
    failed: 0,
    failures: [],
    slowest: [],
    skipped: [],
  };

  readonly #reasons = new Map<string | undefined, string>();
  readonly #unexplained: { name: string; module: string }[] = [];

  onUserConsoleLog(log: UserConsoleLog): void {
    const reason = REASON.exec(log.content)?.[1];
    if (reason !== undefined) this.#reasons.set(log.taskId, reason);
  }

  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    if (result.state === "passed") this.#summary.passed += 1;
    else if (result.state === "failed")
      this.#fail(`${fileOf(test.module)} > ${test.fullName}`, result.errors);
    else if (result.state === "skipped" && result.note === undefined)
      this.#unexplained.push({ name: test.fullName, module: test.module.id });
    else if (result.state === "skipped")
      this.#summary.skipped.push({ name: test.fullName, reason: result.note });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    for (const error of unhandled) this.#fail("outside of any test", [error as Error]);
    for (const module of modules) {
      const errors = module.errors();
      if (errors.length > 0) this.#fail(fileOf(module), errors);
    }
    this.#summary.slowest = modules
      .map((module) => ({ file: fileOf(module), seconds: module.diagnostic().duration / 1000 }))
      .toSorted((one, other) => other.seconds - one.seconds)
      .slice(0, 10);
    for (const { name, module } of this.#unexplained) {
      this.#summary.skipped.push({ name, reason: this.#reasons.get(module) });
    }
    const path = process.env.TRIBUTARY_TEST_SUMMARY;
    if (path !== undefined) writeFileSync(path, JSON.stringify(this.#summary));
  }

  #fail(name: string, errors: readonly { readonly message?: string }[] | undefined): void {
    this.#summary.failed += 1;
    const why = (errors?.[0]?.message ?? "").split("\n", 1)[0]!;
    this.#summary.failures.push({ name, why });
  }
}

const fileOf = ({ relativeModuleId }: Pick<TestModule, "relativeModuleId">): string => relativeModuleId;
