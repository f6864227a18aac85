import { asPopulationName, decodeBase64url, encodeBase64url, type DeviceId } from "@tributary/core";
import { deviceIdOf, enrolmentMessage } from "@tributary/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createApiClient, type ApiClient } from "../../../packages/api-client/src/index.ts";
import { createCoordinator } from "../../src/coordinator.ts";
import { DeviceSocket, type TestIdentity } from "../device-socket.ts";
import { runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";

const DEFAULT = asPopulationName("default");

let coordinator: RunningCoordinator;
let api: ApiClient;
beforeAll(async () => {
  coordinator = await runningCoordinator();
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
});
afterAll(() => coordinator.end());

interface Key {
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly sign: TestIdentity["sign"];
}

async function newKey(): Promise<Key> {
  const pair = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  return {
    publicKey: new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)),
    sign: async (message) => new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, message)),
  };
}

/** Enrols over HTTP. @returns the identity, or the code of the refusal */
async function enrol({ publicKey, sign }: Key, token: string): Promise<TestIdentity | string> {
  const answer = await coordinator.request("/v1/populations/default/enrolments", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      token,
      publicKey: encodeBase64url(publicKey),
      proof: encodeBase64url(await sign(enrolmentMessage(token))),
    }),
  });
  const body = (await answer.json()) as { certificate: string; code: string };
  if (!answer.ok) return body.code;
  return { deviceId: await deviceIdOf(publicKey), certificate: decodeBase64url(body.certificate), sign };
}

async function enrolled(key: Key, token?: string): Promise<TestIdentity> {
  const identity = await enrol(key, token ?? (await coordinator.mintEnrolmentToken(DEFAULT)));
  if (typeof identity === "string") throw new Error(identity);
  return identity;
}

async function refusedAt(url: string, identity: TestIdentity): Promise<string> {
  const socket = new DeviceSocket(url);
  await expect(socket.greet(identity)).rejects.toThrow("closed");
  const { code } = await socket.next("refusal");
  return code;
}

const actions = async (device: DeviceId) =>
  (await api.audit({ device })).records.map(({ action, detail }) => ({ action, detail }));

test("a revoked device is cut off within a second, refused from then on, and comes back only where it is let", async () => {
  const key = await newKey();
  const token = await coordinator.mintEnrolmentToken(DEFAULT);
  const identity = await enrolled(key, token);
  const { deviceId } = identity;
  const socket = await DeviceSocket.connect(coordinator.url, identity);
  expect((await api.device(deviceId)).connected).toBe(true);
  expect(await api.readmitDevice(deviceId).catch(({ code }: { code: string }) => code)).toBe(
    "identity/not-revoked",
  );

  expect(await api.revokeDevice(deviceId, "stolen")).toMatchObject({ state: "revoked", connected: false });
  const started = performance.now();
  expect(await socket.closed).toMatchObject({ code: 1008, reason: "identity/revoked" });
  expect(performance.now() - started).toBeLessThan(1_000);
  expect(await refusedAt(coordinator.url, identity)).toBe("identity/revoked");
  expect(await enrol(key, token)).toBe("identity/revoked");
  expect(await enrol(key, await coordinator.mintEnrolmentToken(DEFAULT))).toBe("identity/revoked");
  // Again: nothing changes, and nothing is recorded twice.
  await api.revokeDevice(deviceId, "stolen");
  expect(await actions(deviceId)).toEqual([
    { action: "device.revoke", detail: { was: "active", reason: "stolen" } },
  ]);

  // The operator lets it enrol again: its old certificate stays refused, before and after.
  expect(await api.readmitDevice(deviceId)).toMatchObject({ state: "readmitted" });
  expect(await refusedAt(coordinator.url, identity)).toBe("identity/revoked");
  const again = await enrolled(key, token);
  expect(again.certificate).not.toEqual(identity.certificate);
  expect(await refusedAt(coordinator.url, identity)).toBe("identity/revoked");
  const back = await DeviceSocket.connect(coordinator.url, again);
  expect(await api.device(deviceId)).toMatchObject({ state: "active", connected: true });
  await back.close();
  expect((await actions(deviceId)).map(({ action }) => action)).toEqual(["device.readmit", "device.revoke"]);
  expect(await api.revokeDevice("f".repeat(32), "x").catch(({ code }: { code: string }) => code)).toBe(
    "identity/unknown-device",
  );
});

test("a device that answers no close is cut off as well", async () => {
  const identity = await enrolled(await newKey());
  const socket = await DeviceSocket.connect(coordinator.url, identity);
  socket.socket.close = () => {};
  await api.revokeDevice(identity.deviceId, "stolen");
  const started = performance.now();
  await socket.closed;
  expect(performance.now() - started).toBeLessThan(1_000);
});

test("a revocation survives a restart", async () => {
  const identity = await enrolled(await newKey());
  await api.revokeDevice(identity.deviceId, "sold");
  await coordinator.close();
  const next = await createCoordinator({ dataDir: coordinator.dataDir, port: 0, logLevel: "silent" });
  try {
    expect(await refusedAt(next.url, identity)).toBe("identity/revoked");
  } finally {
    await next.close();
  }
});
