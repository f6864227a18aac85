import { requireExactly } from "../member-lists.ts";
import { SHARE_CIPHERTEXT_BYTES, type ReceivedShare, type ShareBundle } from "../messages.ts";

/** The sealed shares of a cohort, in one array for each giver: 86 bytes a share. */
export class ShareStore {
  readonly #sealed = new Map<number, { readonly to: readonly number[]; readonly bytes: Uint8Array }>();
  readonly #seedCommitments = new Map<number, Uint8Array>();

  /** U2. */
  get givers(): ReadonlyMap<number, unknown> {
    return this.#sealed;
  }

  /**
   * @param receivers - the giver's neighbours in U1
   * @throws TributaryError `secagg/invalid-share` for a share too few or too many.
   */
  add({ member, seedCommitment, shares }: ShareBundle, receivers: readonly number[]): void {
    const addressed = shares.map(({ to }) => to);
    requireExactly(addressed, receivers, `shares of member ${member}`, "secagg/invalid-share");
    const bytes = new Uint8Array(shares.length * SHARE_CIPHERTEXT_BYTES);
    for (const [i, { ciphertext }] of shares.entries()) bytes.set(ciphertext, i * SHARE_CIPHERTEXT_BYTES);
    this.#sealed.set(member, { to: receivers, bytes });
    this.#seedCommitments.set(member, seedCommitment);
  }

  /** What givers sealed for a member, ascending by giver. */
  sharesFor(member: number, givers: readonly number[]): ReceivedShare[] {
    return givers.map((from) => {
      const { to, bytes } = this.#sealed.get(from)!;
      const at = to.indexOf(member) * SHARE_CIPHERTEXT_BYTES;
      return { from, ciphertext: bytes.subarray(at, at + SHARE_CIPHERTEXT_BYTES) };
    });
  }

  seedCommitmentOf(member: number): Uint8Array {
    return this.#seedCommitments.get(member)!;
  }
}
