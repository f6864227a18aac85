import { failure } from "@tributary/core";
import { requireExactly } from "../member-lists.ts";
import type { RevealedShare, UnmaskShares } from "../messages.ts";
import { bytesToNumber, FIELD_PRIME } from "../primitives/field.ts";
import type { SharePoint } from "../primitives/shamir.ts";

/** Shares that were revealed, by the member whose secret they are of. */
export class RevealedShares {
  readonly #points = new Map<number, SharePoint[]>();
  readonly #holders = new Set<number>();

  /** U5. */
  get holders(): ReadonlySet<number> {
    return this.#holders;
  }

  /**
   * @param survivors - survivors whose shares the member holds, ascending
   * @param dropouts - dropouts whose shares it holds, ascending
   * @throws TributaryError `secagg/invalid-share`.
   */
  add(message: UnmaskShares, survivors: readonly number[], dropouts: readonly number[]): void {
    const { member, seedShares, keyShares } = message;
    const membersOf = (shares: readonly RevealedShare[]): number[] => shares.map(({ of }) => of);
    const what = `revealed shares of member ${member}`;
    requireExactly(membersOf(seedShares), survivors, what, "secagg/invalid-share");
    requireExactly(membersOf(keyShares), dropouts, what, "secagg/invalid-share");
    const values = [...seedShares, ...keyShares].map(({ of, share }) => {
      const value = bytesToNumber(share);
      if (value < FIELD_PRIME) return { of, value };
      throw failure("secagg/invalid-share", `secagg: ${what}: that of member ${of} is not a field element`, {
        detail: { member },
      });
    });
    this.#holders.add(member);
    for (const { of, value } of values) {
      const point = { abscissa: member + 1, value };
      const points = this.#points.get(of);
      if (points === undefined) this.#points.set(of, [point]);
      else points.push(point);
    }
  }

  pointsOf(member: number): readonly SharePoint[] {
    return this.#points.get(member) ?? [];
  }
}
