import { failure } from "@tributary/core";

/** An Einsum equation with every index as one letter, the ellipsis too. */
export interface EinsumTerms {
  readonly terms: readonly string[];
  readonly result: string;
}

/**
 * Reads "bij,bjk->bik" for operands of these ranks. Without an arrow the letters that occur once are the
 * result, in alphabetical order. Errors: `onnx/shape-mismatch`.
 */
export function parseEinsum(where: string, equation: string, ranks: readonly number[]): EinsumTerms {
  const refuse = (why: string): Error =>
    failure("onnx/shape-mismatch", `onnx: ${where}: equation "${equation}" ${why}`);
  const [left = "", right] = equation.replaceAll(" ", "").split("->");
  const written = left.split(",");
  if (written.length !== ranks.length) {
    throw refuse(`has ${written.length} terms for ${ranks.length} operands`);
  }
  // Letters that stand for the axes of "...", the last axis first
  const free = Array.from("zyxwvutsrqponmlkjihgfedcba").filter((letter) => !equation.includes(letter));
  const ellipsis = (count: number): string => free.slice(0, count).toReversed().join("");
  let widest = 0;
  const terms = written.map((term, i) => {
    const letters = term.replace("...", "").length;
    const extra = ranks[i]! - letters;
    const fits = term.includes("...") ? extra >= 0 && extra <= free.length : extra === 0;
    if (!fits) throw refuse(`names ${letters} axes of operand ${i}, which has ${ranks[i]}`);
    widest = Math.max(widest, term.includes("...") ? extra : 0);
    return term.replace("...", ellipsis(extra));
  });
  const once = [...new Set(left.replaceAll(/[^A-Za-z]/gu, ""))]
    .filter((letter) => left.split(letter).length === 2)
    .toSorted()
    .join("");
  const result = right === undefined ? ellipsis(widest) + once : right.replace("...", ellipsis(widest));
  const all = new Set(terms.join(""));
  const stray = Array.from(result).find((letter) => !all.has(letter));
  if (stray !== undefined) throw refuse(`has "${stray}" in the result only`);
  return { terms, result };
}
