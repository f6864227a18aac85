import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { asPopulationName, encodeBase64url } from "@tributary/core";
import { enrolmentMessage } from "@tributary/protocol";
import { expect, test } from "vitest";
import { mintRecordedToken } from "../../../src/enrolment/tokens-of-data-dir.ts";
import { startProcess } from "../../coordinator-process.ts";
import { DeviceSocket } from "../../device-socket.ts";
import { temporaryFolder } from "../../temporary-folder.ts";

/** A client's own id of a request. */
const ENROLMENT = "0192f3a4-5b6c-7d8e-9f00-112233445566";

test("what a process logs in full has ids to follow and none of the secrets that it was shown", async () => {
  const folder = await temporaryFolder();
  const { child, listening, ended } = startProcess(
    "--port",
    "0",
    "--data-dir",
    folder.path,
    "--log-level",
    "debug",
  );
  try {
    const { url } = await listening;
    const operator = (await readFile(join(folder.path, "operator-token"), "utf8")).trim();
    const answered: Response[] = [];
    const ask = async (path: string, init: RequestInit = {}) => {
      const response = await fetch(`${url}${path}`, { method: "POST", ...init });
      answered.push(response);
      return response;
    };
    // An operator, and somebody who would be one.
    const json = { "content-type": "application/json" };
    await ask("/v1/tasks", { headers: { ...json, authorization: `Bearer ${operator}` }, body: "{}" });
    await ask("/v1/tasks", { headers: { ...json, authorization: `Bearer ${operator}x` }, body: "{}" });
    await ask(`/v1/status?token=${operator}&code=authorization-code-1`, {
      method: "GET",
      headers: { cookie: "session=session-of-somebody" },
    });
    // A device enrols, connects, and does what it may not.
    const keys = (await crypto.subtle.generateKey("Ed25519", false, ["sign"])) as CryptoKeyPair;
    const token = await mintRecordedToken(folder.path, asPopulationName("default"));
    const sign = async (message: Uint8Array<ArrayBuffer>) =>
      new Uint8Array(await crypto.subtle.sign("Ed25519", keys.privateKey, message));
    const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey));
    const enrolment = await ask("/v1/populations/default/enrolments", {
      headers: { ...json, "x-request-id": ENROLMENT },
      body: JSON.stringify({
        token,
        publicKey: encodeBase64url(publicKey),
        proof: encodeBase64url(await sign(enrolmentMessage(token))),
      }),
    });
    const { certificate, deviceId } = (await enrolment.json()) as { certificate: string; deviceId: string };
    expect(enrolment.status).toBe(200);
    const digest = "0".repeat(64);
    await ask(`/v1/rounds/digits%2F1/updates/${digest}`, {
      method: "PUT",
      headers: {
        "content-type": "application/octet-stream",
        authorization: `Tributary ${certificate}`,
        "tributary-proof": encodeBase64url(await sign(new TextEncoder().encode("another"))),
      },
      body: "an update",
    });
    const socket = new DeviceSocket(url);
    await socket.next("challenge");
    socket.send({ type: "heartbeat", nonce: 1 });
    await socket.closed;

    child.kill("SIGTERM");
    const { stderr } = await ended;
    const entries = stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    // Each answer's id is that of a line.
    const ids = new Set(entries.map(({ requestId }) => requestId));
    for (const { headers } of answered) expect(ids).toContain(headers.get("x-request-id"));
    expect(new Set(answered.map(({ headers }) => headers.get("x-request-id"))).size).toBe(answered.length);
    const enrolled = entries.find(({ msg }) => msg === "device enrolled");
    expect(enrolled).toMatchObject({ device: deviceId, requestId: ENROLMENT });

    const secretKey = await readFile(join(folder.path, "keys", "root.key.json"), "utf8");
    const secrets = {
      operator,
      token,
      certificate,
      code: "authorization-code-1",
      session: "session-of-somebody",
      key: (JSON.parse(secretKey) as { private: string }).private ?? secretKey,
    };
    for (const [name, secret] of Object.entries(secrets))
      expect([name, stderr.includes(secret)]).toEqual([name, false]);
  } finally {
    child.kill("SIGKILL");
    await ended;
    await rm(folder.path, { recursive: true, force: true });
  }
});
