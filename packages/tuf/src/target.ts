import { createSha256, failure, sha256, type Digest } from "@tributary/core";
import type { TargetFile } from "./metadata.ts";

/**
 * Spec 5.7.3: the bytes of a target are those that verified metadata describes.
 *
 * @throws TributaryError `tuf/target-mismatch`.
 */
export function verifyTarget(file: TargetFile, bytes: Uint8Array): void {
  // Length first: it is free, and no hash of an oversized file is computed.
  if (bytes.length !== file.length) throw mismatch(file, bytes.length, undefined);
  const digest = sha256(bytes);
  if (digest !== file.sha256) throw mismatch(file, bytes.length, digest);
}

/** Checks a target while it arrives in chunks, so that memory does not grow with it. */
export interface TargetVerifier {
  /** @throws TributaryError `tuf/target-mismatch` as soon as there are more bytes than signed. */
  update(chunk: Uint8Array): void;
  /** @throws TributaryError `tuf/target-mismatch`. */
  finish(): void;
}

/** {@linkcode verifyTarget} for streams. */
export function createTargetVerifier(file: TargetFile): TargetVerifier {
  const hash = createSha256();
  let length = 0;
  return {
    update(chunk) {
      length += chunk.length;
      if (length > file.length) throw mismatch(file, length, undefined);
      hash.update(chunk);
    },
    finish() {
      if (length !== file.length) throw mismatch(file, length, undefined);
      const digest = hash.digest();
      if (digest !== file.sha256) throw mismatch(file, length, digest);
    },
  };
}

function mismatch(file: TargetFile, length: number, digest: Digest | undefined): Error {
  const got = digest === undefined ? `${length} bytes` : `SHA-256 ${digest}`;
  return failure(
    "tuf/target-mismatch",
    `tuf: target ${file.path}: expected ${file.length} bytes with SHA-256 ${file.sha256}, got ${got} (spec 5.7.3)`,
    { detail: { path: file.path, step: "5.7.3", expectedLength: file.length, length } },
  );
}
