import { decodeBase64url, failure } from "@tributary/core";
import { CERTIFICATE_SCHEME, PROOF_HEADER } from "@tributary/protocol";

/** The length that an upload names; where it goes, and whether it may come, depends on it. */
export function contentLength(header: string | undefined): number {
  const sizeBytes = Number(header);
  if (header !== undefined && Number.isSafeInteger(sizeBytes)) return sizeBytes;
  throw failure("http/bad-request", "rounds: an upload names its length in Content-Length", {
    detail: { header: "content-length" },
  });
}

/** Of `Authorization: Tributary <certificate>`. @throws `identity/invalid-certificate` */
export function certificateOf(authorization: string | undefined): Uint8Array {
  const [scheme, value, ...rest] = (authorization ?? "").split(" ");
  if (scheme !== CERTIFICATE_SCHEME || value === undefined || rest.length > 0) {
    throw failure(
      "identity/invalid-certificate",
      `http: "Authorization: ${CERTIFICATE_SCHEME} <certificate>" expected`,
    );
  }
  try {
    return decodeBase64url(value);
  } catch (cause) {
    throw failure("identity/invalid-certificate", "http: the certificate is not base64url", { cause });
  }
}

/** @throws `identity/invalid-proof` */
export function proofOf(headers: { readonly [name: string]: unknown }): Uint8Array {
  const header = headers[PROOF_HEADER];
  try {
    if (typeof header === "string") return decodeBase64url(header);
  } catch (cause) {
    throw failure("identity/invalid-proof", "http: the proof is not base64url", { cause });
  }
  throw failure("identity/invalid-proof", `http: one header ${PROOF_HEADER} expected`);
}
