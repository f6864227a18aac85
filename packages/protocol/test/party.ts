/** Someone with an Ed25519 key. */
export interface Party {
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly sign: (message: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;
}

export async function party(): Promise<Party> {
  const keys = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  return {
    publicKey: new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey)),
    sign: async (message) => new Uint8Array(await crypto.subtle.sign("Ed25519", keys.privateKey, message)),
  };
}
