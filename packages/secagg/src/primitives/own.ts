/** A copy in memory of its own: WebCrypto takes no views of shared memory, and the caller may change the original. */
export function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
