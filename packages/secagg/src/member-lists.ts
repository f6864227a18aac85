import { failure, type ErrorCode } from "@tributary/core";

/**
 * A list that names members must be ascending, which rules out repeats, and within the cohort.
 *
 * @throws TributaryError `secagg/repeated-member` or `secagg/unknown-member`.
 */
export function requireAscending(members: readonly number[], clients: number, what: string): void {
  let last = -1;
  for (const member of members) {
    if (member === last) {
      throw failure("secagg/repeated-member", `secagg: ${what}: member ${member} is named twice`, {
        detail: { member },
      });
    }
    if (member < last) {
      throw failure("secagg/repeated-member", `secagg: ${what}: members are not in ascending order`, {
        detail: { member },
      });
    }
    if (member >= clients) {
      throw failure("secagg/unknown-member", `secagg: ${what}: there is no member ${member} of ${clients}`, {
        detail: { member },
      });
    }
    last = member;
  }
}

/** A list must name exactly these members, in this order. */
export function requireExactly(
  members: readonly number[],
  expected: readonly number[],
  what: string,
  code: ErrorCode,
): void {
  if (members.length === expected.length && members.every((member, i) => member === expected[i])) return;
  throw failure(
    code,
    `secagg: ${what}: the ${expected.length} members of the neighbourhood expected, got ${members.length} others`,
    { detail: { expected: expected.length, got: members.length } },
  );
}

/** Enough are left for a sum of many and for every reconstruction. */
export function requireCount(count: number, needed: number, what: string): void {
  if (count >= needed) return;
  throw failure("secagg/below-threshold", `secagg: ${what}: ${needed} members are needed, got ${count}`, {
    detail: { needed, got: count },
  });
}
