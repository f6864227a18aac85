import { writeFileSync } from "node:fs";
import type { Reporter, TestCase, TestModule } from "vitest/node";

/** What one project's run came to, handed to the parent process by file. */
export interface ProjectSummary {
  passed: number;
  failed: number;
  skipped: { name: string; reason: string | undefined }[];
}

/** Counts results and keeps the reason of every skipped test; writes them where `TRIBUTARY_TEST_SUMMARY` says. */
export default class SummaryReporter implements Reporter {
  readonly #summary: ProjectSummary = { passed: 0, failed: 0, skipped: [] };

  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    if (result.state === "passed") this.#summary.passed += 1;
    else if (result.state === "failed") this.#summary.failed += 1;
    else if (result.state === "skipped")
      this.#summary.skipped.push({ name: test.fullName, reason: result.note });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    this.#summary.failed += unhandled.length;
    for (const module of modules) {
      const broken = module.errors().length > 0;
      if (broken) this.#summary.failed += 1;
    }
    const path = process.env.TRIBUTARY_TEST_SUMMARY;
    if (path !== undefined) writeFileSync(path, JSON.stringify(this.#summary));
  }
}
