import type { AccessGrant } from "@tributary/protocol";

/** An operator who signs in with a password. */
export interface AccountRecord {
  readonly name: string;
  /** As `hashPassword` writes it. */
  readonly password: string;
  readonly grants: readonly AccessGrant[];
  readonly createdAt: number;
  /** Sessions that began before are over. */
  readonly passwordChangedAt: number;
}

/** Of somebody for whom an identity provider vouches. */
export interface Vouched {
  readonly issuer: string;
  /** Who it is, there. */
  readonly subject: string;
  /** Digest of the rules that made grants of its claims. */
  readonly rules: string;
}

/** A browser that signed in. */
export interface SessionRecord {
  /** By which it is shown and ended. */
  readonly id: string;
  /** SHA-256 of what the cookie holds, in hexadecimal: the cookie itself is nowhere here. */
  readonly digest: string;
  readonly name: string;
  /** Null: those of the account of this name. Else what an identity provider's claims gave. */
  readonly grants: readonly AccessGrant[] | null;
  /** Null: nobody but the account's password. */
  readonly vouched: Vouched | null;
  readonly createdAt: number;
  readonly seenAt: number;
  /** Where it ends even if it is used. */
  readonly expiresAt: number;
  /** Where it was last seen: an address, and what the browser calls itself. */
  readonly address: string;
  readonly agent: string;
}

/** What a program signs in with. */
export interface ApiTokenRecord {
  /** Part of the token itself, and not secret. */
  readonly id: string;
  /** SHA-256 of the token, in hexadecimal. */
  readonly digest: string;
  /** What it is for, in the words of whoever made it. */
  readonly label: string;
  readonly grants: readonly AccessGrant[];
  /** Whose it is: it may no more than this account; null where no account made it. */
  readonly account: string | null;
  /** Id of the session that it ends with, whose identity provider vouched for whoever made it; null where it is of no session. */
  readonly session: string | null;
  readonly createdAt: number;
  /** Null: never. */
  readonly expiresAt: number | null;
  readonly usedAt: number | null;
}
