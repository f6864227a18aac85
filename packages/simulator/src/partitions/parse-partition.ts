import { failure } from "@tributary/core";

/** How a data set's examples belong to clients. */
export type PartitionSpec =
  /** Every client draws from all: equal sizes, labels as they come. */
  | { readonly kind: "iid" }
  /** Sorted by label and cut into equal shards, of which each client gets `perClient` (McMahan et al. 2017, section 3). */
  | { readonly kind: "shards"; readonly perClient: number }
  /** Equal sizes; each client's labels follow a draw from Dirichlet(alpha, ..., alpha) (Hsu et al. 2019). */
  | { readonly kind: "dirichlet"; readonly alpha: number }
  /** A client for each value of a column: a writer, a user. */
  | { readonly kind: "by"; readonly column: string }
  /** Labels as they come; the k-th largest client has k^-exponent as many examples as the largest. */
  | { readonly kind: "power-law"; readonly exponent: number };

/** As `--partition` takes them. */
export const PARTITIONS = ["iid", "shards:2", "dirichlet:ALPHA", "by:COLUMN", "power-law:EXPONENT"] as const;

/** @throws `simulator/invalid-partition` naming those there are */
export function parsePartition(text: string): PartitionSpec {
  const [kind, ...rest] = text.split(":");
  const value = rest.join(":");
  switch (kind) {
    case "iid":
      if (rest.length === 0) return { kind };
      break;
    case "shards":
      return { kind, perClient: numberOf(text, value, { low: 1, high: 1_000, whole: true }) };
    case "dirichlet":
      return { kind, alpha: numberOf(text, value, { low: 0.001, high: 1_000_000 }) };
    case "by":
      if (value !== "") return { kind, column: value };
      break;
    case "power-law":
      return { kind, exponent: numberOf(text, value, { low: 0, high: 10 }) };
    default:
  }
  throw invalid(text, `one of ${PARTITIONS.join(", ")} expected`);
}

function numberOf(
  text: string,
  value: string,
  { low, high, whole = false }: { readonly low: number; readonly high: number; readonly whole?: boolean },
): number {
  const number = Number(value);
  if (value.trim() !== "" && number >= low && number <= high && (!whole || Number.isInteger(number))) {
    return number;
  }
  throw invalid(text, `a ${whole ? "whole " : ""}number from ${low} to ${high} expected after the colon`);
}

function invalid(text: string, problem: string): Error {
  return failure("simulator/invalid-partition", `partition "${text}": ${problem}`, {
    detail: { partition: text.slice(0, 100) },
  });
}
