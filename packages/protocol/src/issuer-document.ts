import Type, { type Static } from "typebox";
import { parseJson } from "./json.ts";
import { parseDocument } from "./parse.ts";

/** Target path of the document that says who vouches for devices. */
export const ISSUER_TARGET = "issuer.json";

const MAX_BYTES = 4096;

/** The enrolment issuer, as the release signs it. */
export const IssuerDocument = Type.Object({
  formatVersion: Type.Literal(1),
  /** Raw Ed25519 public key in hexadecimal. */
  publicKey: Type.String({ pattern: "^[0-9a-f]{64}$" }),
  /** For people. */
  name: Type.String({ minLength: 1, maxLength: 64 }),
});
export type IssuerDocument = Static<typeof IssuerDocument>;

/** @throws protocol/invalid-document with the path of the first fault in `detail`. */
export function parseIssuerDocument(bytes: Uint8Array): IssuerDocument {
  return parseDocument("issuer document", IssuerDocument, parseJson("issuer document", bytes, MAX_BYTES));
}
