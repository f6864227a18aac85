import { asDigest, asRoundId } from "@tributary/core";
import { beforeAll, describe, expect, test } from "vitest";
import { helloMessage, uploadMessage, verifySignature } from "../src/index.ts";
import { party, type Party } from "./party.ts";

const certificate = new Uint8Array(300).fill(3);
let device: Party;

beforeAll(async () => {
  device = await party();
});

describe("proofs", () => {
  test("bind a hello to its nonce and certificate", async () => {
    const nonce = new Uint8Array(32).fill(1);
    const signature = await device.sign(helloMessage(nonce, certificate));
    expect(await verifySignature(device.publicKey, signature, helloMessage(nonce, certificate))).toBe(true);
    const otherNonce = new Uint8Array(32).fill(2);
    expect(await verifySignature(device.publicKey, signature, helloMessage(otherNonce, certificate))).toBe(
      false,
    );
  });

  test("bind an upload to its round, digest and size", async () => {
    const digest = asDigest("ab".repeat(32));
    const message = uploadMessage(asRoundId("r-1"), digest, 10);
    const signature = await device.sign(message);
    expect(await verifySignature(device.publicKey, signature, message)).toBe(true);
    for (const other of [
      uploadMessage(asRoundId("r-2"), digest, 10),
      uploadMessage(asRoundId("r-1"), asDigest("ac".repeat(32)), 10),
      uploadMessage(asRoundId("r-1"), digest, 11),
    ]) {
      expect(await verifySignature(device.publicKey, signature, other)).toBe(false);
    }
  });

  test("with a malformed key or signature are false, not an exception", async () => {
    expect(await verifySignature(new Uint8Array(31), new Uint8Array(64), new Uint8Array())).toBe(false);
    expect(await verifySignature(device.publicKey, new Uint8Array(63), new Uint8Array())).toBe(false);
    expect(await verifySignature(new Uint8Array(32).fill(255), new Uint8Array(64), new Uint8Array())).toBe(
      false,
    );
  });
});
