import { encode, sha256, type Codec, type Digest } from "@tributary/core";
import {
  Advertisement,
  MaskedInput,
  type SecAggServer,
  ShareBundle,
  SurvivorSignature,
  UnmaskShares,
} from "../../src/index.ts";

/** Hands messages to a server as a transport does: with the digest of their bytes. */
export const accept = {
  advertisement: (server: SecAggServer, message: Advertisement) =>
    server.acceptAdvertisement(message, digestOf(Advertisement, message)),
  shares: (server: SecAggServer, message: ShareBundle) =>
    server.acceptShares(message, digestOf(ShareBundle, message)),
  maskedInput: (server: SecAggServer, message: MaskedInput) =>
    server.acceptMaskedInput(message, digestOf(MaskedInput, message)),
  signature: (server: SecAggServer, message: SurvivorSignature) =>
    server.acceptSignature(message, digestOf(SurvivorSignature, message)),
  unmaskShares: (server: SecAggServer, message: UnmaskShares) =>
    server.acceptUnmaskShares(message, digestOf(UnmaskShares, message)),
};

function digestOf<T>(codec: Codec<T>, message: T): Digest {
  return sha256(encode(codec, message));
}
