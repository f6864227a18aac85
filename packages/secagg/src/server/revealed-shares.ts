import { failure } from "@tributary/core";
import { requireExactly } from "../member-lists.ts";
import type { RevealedShare, UnmaskShares } from "../messages.ts";
import { isElement } from "../primitives/field.ts";

/** A share as it was revealed. */
export interface RevealedPoint {
  /** The holder's. */
  readonly abscissa: number;
  /** An element, 33 bytes; read only if it is needed. */
  readonly share: Uint8Array;
}

/** Shares that were revealed, by the member whose secret they are of. */
export class RevealedShares {
  readonly #points = new Map<number, RevealedPoint[]>();

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
    const shares = [...seedShares, ...keyShares];
    const odd = shares.find(({ share }) => !isElement(share));
    if (odd !== undefined) {
      throw failure(
        "secagg/invalid-share",
        `secagg: ${what}: that of member ${odd.of} is not a field element`,
        {
          detail: { member },
        },
      );
    }
    for (const { of, share } of shares) {
      const point = { abscissa: member + 1, share };
      const points = this.#points.get(of);
      if (points === undefined) this.#points.set(of, [point]);
      else points.push(point);
    }
  }

  pointsOf(member: number): readonly RevealedPoint[] {
    return this.#points.get(member) ?? [];
  }
}
