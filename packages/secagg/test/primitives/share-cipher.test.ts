import { systemRandom } from "@tributary/core";
import { describe, expect, test } from "vitest";
import { openSecAggCrypto } from "../../src/index.ts";
import { openNodeSecAggCrypto } from "../../src/node.ts";
import { rejection } from "../support/rejection.ts";

const webcrypto = await openSecAggCrypto();
const node = openNodeSecAggCrypto();

describe.each([
  ["webcrypto", webcrypto, webcrypto],
  ["node", node, node],
  ["webcrypto to node", webcrypto, node],
  ["node to webcrypto", node, webcrypto],
])("shares sealed by %s", (_, sender, receiver) => {
  const sessionId = systemRandom.bytes(32);
  const secret = systemRandom.bytes(32);
  const sealing = () => sender.openShareCipher(secret.slice(), { sessionId, self: 3, peer: 8 });
  const opening = (peer = 3, session = sessionId) =>
    receiver.openShareCipher(secret.slice(), { sessionId: session, self: 8, peer });

  test("are opened by the peer alone, in this session alone, once sealed", async () => {
    const plaintext = systemRandom.bytes(70);
    const cipher = await sealing();
    const ciphertext = await cipher.seal(plaintext.slice());
    expect(ciphertext.length).toBe(86);
    expect(await (await opening()).open(ciphertext)).toEqual(plaintext);
    expect(await rejection(cipher.seal(plaintext.slice()))).toBe("secagg/out-of-order");
    expect(await rejection((await opening(4)).open(ciphertext))).toBe("secagg/invalid-share");
    const other = await opening(3, systemRandom.bytes(32));
    expect(await rejection(other.open(ciphertext))).toBe("secagg/invalid-share");
    // A member does not take its own share back for its peer's.
    expect(await rejection((await sealing()).open(ciphertext))).toBe("secagg/invalid-share");
  });

  test("that were touched or cut are refused", async () => {
    const ciphertext = await (await sealing()).seal(systemRandom.bytes(70));
    for (const wrong of [
      ciphertext.with(85, ciphertext[85]! ^ 1),
      ciphertext.with(0, ciphertext[0]! ^ 1),
      ciphertext.slice(1),
      ciphertext.slice(0, 15),
    ]) {
      expect(await rejection((await opening()).open(wrong))).toBe("secagg/invalid-share");
    }
  });
});
