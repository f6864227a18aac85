/** SHA-256 of a stream, as 32 bytes. */
export interface Sha256Stream {
  update(bytes: Uint8Array): void;
  digest(): Uint8Array<ArrayBuffer>;
}

/** What the platform has to offer; `#sha256` of package.json chooses. */
export interface Sha256Implementation {
  hash(bytes: Uint8Array): Uint8Array<ArrayBuffer>;
  create(): Sha256Stream;
}
