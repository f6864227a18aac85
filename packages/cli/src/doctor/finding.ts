/** How bad it is: `ok` is said so that a reader knows that it was looked at; a `warning` works, but not for long or not safely. */
export type Verdict = "ok" | "warning" | "problem";

/** What one check found. */
export interface Finding {
  /** What was looked at, in a few words. */
  readonly check: string;
  readonly verdict: Verdict;
  /** What was found. */
  readonly text: string;
  /** What to do about it. */
  readonly advice?: string;
}

const SIGNS = { ok: "ok      ", warning: "warning ", problem: "problem " } as const satisfies Record<
  Verdict,
  string
>;

/** A line a finding, and one below it for what to do. */
export function findingLines(findings: readonly Finding[]): string[] {
  const width = Math.max(...findings.map(({ check }) => check.length));
  return findings.flatMap(({ check, verdict, text, advice }) => [
    `${SIGNS[verdict]} ${check.padEnd(width)}  ${text}`,
    ...(advice === undefined ? [] : [`${" ".repeat(SIGNS.ok.length + width + 3)}${advice}`]),
  ]);
}

export const ok = (check: string, text: string): Finding => ({ check, verdict: "ok", text });
export const warning = (check: string, text: string, advice: string): Finding => ({
  check,
  verdict: "warning",
  text,
  advice,
});
export const problem = (check: string, text: string, advice: string): Finding => ({
  check,
  verdict: "problem",
  text,
  advice,
});
