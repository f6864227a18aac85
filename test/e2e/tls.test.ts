import { readFileSync } from "node:fs";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { createRuntime } from "@tributary/runtime/node";
import { expect, test, vi } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";

// A real device, over HTTPS and a WebSocket within TLS, at a coordinator with a certificate of its own and no backend.

test("a device enrols by itself, reads a model and stays connected over TLS; revoked, it is gone for good", async () => {
  await using opened = new AsyncDisposableStack();
  const folder = temporaryFolder();
  opened.defer(() => folder.remove());
  const dataDir = join(folder.path, "coordinator");
  const coordinator = await createCoordinator({
    dataDir,
    port: 0,
    logLevel: "silent",
    tls: "self-signed",
    openEnrolment: ["default"],
  });
  opened.defer(() => coordinator.close());
  const trusted = getCACertificates("default");
  setDefaultCACertificates([...trusted, certificateIn(join(dataDir, "tls/self-signed.pem"))]);
  opened.defer(() => setDefaultCACertificates(trusted));

  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", buildLinear({ seed: 1 }));
  expect(coordinator.url).toMatch(/^https:\/\/127\.0\.0\.1:/);
  const runtime = await createRuntime({
    coordinator: coordinator.url,
    trust: { root: coordinator.tufRoot },
    token: async () => {
      const answer = await fetch(`${coordinator.url}/v1/populations/default/enrolment-token`, {
        method: "POST",
      });
      return answer.text();
    },
    dataDir: join(folder.path, "device"),
    software: "tls-test/1",
  });
  opened.defer(() => runtime.close());
  const digits = await runtime.model("digits");
  expect(digits.version).toBe(1);
  const connected = async () => (await runtime.status()).connection;
  await vi.waitFor(async () => expect(await connected()).toBe("connected"), { timeout: 20_000 });

  await vi.waitFor(
    async () =>
      expect((await api.devices()).devices).toMatchObject([
        { connected: true, software: "tls-test/1", versions: [{ model: "digits", version: 1 }] },
      ]),
    { timeout: 20_000 },
  );
  const [device] = (await api.devices()).devices;
  expect(await api.fleet()).toMatchObject({
    devices: { known: 1, active: 1, connected: 1 },
    versions: [{ model: "digits", version: 1, devices: 1 }],
    software: [{ software: "tls-test/1", devices: 1 }],
  });
  expect(await api.fleetHistory({ model: "digits", hours: 1 })).toMatchObject({
    versions: [1],
    adoption: [{ devices: [1], others: 0 }],
  });

  await api.revokeDevice(device!.deviceId, "lost");
  await vi.waitFor(async () => expect(await connected()).not.toBe("connected"), { timeout: 20_000 });
  expect((await api.status()).devices.connected).toBe(0);
  expect(await api.device(device!.deviceId)).toMatchObject({ state: "revoked", connected: false });
});

function certificateIn(file: string): string {
  const pem = readFileSync(file, "utf8");
  return pem.slice(pem.indexOf("-----BEGIN CERTIFICATE"));
}
