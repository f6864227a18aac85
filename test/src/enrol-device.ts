import type { Coordinator } from "@tributary/coordinator";
import { asPopulationName, encodeBase64url, type DeviceId } from "@tributary/core";
import { deviceIdOf, enrolmentMessage } from "@tributary/protocol";

/** Enrols a device that does nothing more. */
export async function enrolDevice({
  url,
  mintEnrolmentToken,
}: Pick<Coordinator, "url" | "mintEnrolmentToken">): Promise<DeviceId> {
  const token = await mintEnrolmentToken(asPopulationName("default"));
  const keys = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey));
  const proof = new Uint8Array(await crypto.subtle.sign("Ed25519", keys.privateKey, enrolmentMessage(token)));
  const answer = await fetch(`${url}/v1/populations/default/enrolments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      token,
      publicKey: encodeBase64url(publicKey),
      proof: encodeBase64url(proof),
    }),
  });
  if (!answer.ok) throw new Error(`the device was not enrolled: ${await answer.text()}`);
  return deviceIdOf(publicKey);
}
