import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { asPopulationName, decodeBase64url, encodeBase64url, encodeHex } from "@tributary/core";
import { deviceIdOf, enrolmentMessage, erasureMessage, erasurePath, PROOF_HEADER } from "@tributary/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openEnrolmentTokens } from "../src/enrolment/tokens-of-data-dir.ts";
import { startProcess } from "./coordinator-process.ts";
import { DeviceSocket } from "./device-socket.ts";
import { temporaryFolder } from "./temporary-folder.ts";

// All that a coordinator logs at its most talkative, while it is given every kind of secret, good and bad: none of them is in it.

const DEFAULT = asPopulationName("default");
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

test("no token, secret, key, certificate or proof is logged", async () => {
  const dataDir = join(folder.path, "data");
  const { child, listening, ended } = startProcess(
    "--port",
    "0",
    "--data-dir",
    dataDir,
    "--log-level",
    "debug",
    "--open-enrolment",
    "default",
  );
  const { url } = await listening;
  const operatorToken = (await readFile(join(dataDir, "operator-token"), "utf8")).trim();
  const secrets = new Map<string, string>([["the operator's token", operatorToken]]);
  const send = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`${url}${path}`, init);
  const json = (body: object): RequestInit => ({
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

  // Operators, known and not.
  for (const authorization of [`Bearer ${operatorToken}`, "Bearer wrong-operator-token"]) {
    await send("/v1/tasks", { ...json({}), headers: { authorization, "content-type": "application/json" } });
    await send("/v1/devices", { headers: { authorization, cookie: "session=secret-cookie" } });
  }
  secrets.set("a wrong token", "wrong-operator-token").set("a cookie", "secret-cookie");

  // A command line that comes back with what nobody gave it.
  for (const code of ["wrong-code-of-a-command-line", "another-wrong-code"]) {
    const verifier = encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));
    secrets.set(`the verifier of ${code}`, verifier).set(code, code);
    await send("/v1/login-codes/token", json({ code, verifier }));
  }

  // A device: enrolled, refused, connected, erased.
  const keys = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey));
  const sign = async (message: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.sign("Ed25519", keys.privateKey, message));
  const enrol = async (token: string) => {
    const proof = encodeBase64url(await sign(enrolmentMessage(token)));
    secrets.set(`the proof of ${token.slice(-6)}`, proof);
    return send(
      "/v1/populations/default/enrolments",
      json({ token, publicKey: encodeBase64url(publicKey), proof }),
    );
  };
  const minted = await openEnrolmentTokens(dataDir).mint(DEFAULT, { subject: "somebody" });
  const open = await (await send("/v1/populations/default/enrolment-token", { method: "POST" })).text();
  const answer = (await (await enrol(minted)).json()) as { certificate: string };
  await enrol(open);
  await enrol(`${minted}x`);
  await enrol("not.a.token");
  for (const token of [minted, open])
    for (const part of token.split(".").slice(1)) secrets.set(`a token's ${part.slice(0, 6)}`, part);
  const certificate = decodeBase64url(answer.certificate);
  secrets.set("the certificate", answer.certificate);
  secrets.set("the certificate's claims", new TextDecoder().decode(certificate).split(".")[1]!);
  const identity = { deviceId: await deviceIdOf(publicKey), certificate, sign };
  await (await DeviceSocket.connect(url, identity)).close();
  const proof = encodeBase64url(await sign(erasureMessage(certificate)));
  secrets.set("the proof of the erasure", proof);
  const erased = await send(erasurePath("default"), {
    method: "DELETE",
    headers: { authorization: `Tributary ${answer.certificate}`, [PROOF_HEADER]: proof },
  });
  expect(erased.status).toBe(200);

  for (const name of await readdir(join(dataDir, "keys"))) {
    const bytes = new Uint8Array(await readFile(join(dataDir, "keys", name)));
    if (name.endsWith(".secret")) {
      secrets.set(`${name} in hex`, encodeHex(bytes)).set(`${name} in base64`, encodeBase64url(bytes));
    } else {
      const { privateKey } = JSON.parse(new TextDecoder().decode(bytes)) as { privateKey: string };
      secrets.set(name, privateKey);
    }
  }
  child.kill("SIGTERM");
  const { stderr } = await ended;
  // It did log what happened.
  for (const word of [
    "device enrolled",
    "enrolment refused",
    "identity/invalid-token",
    "identity/invalid-login-code",
    "request answered",
  ])
    expect(stderr).toContain(word);
  const found = [...secrets].filter(([, secret]) => stderr.includes(secret)).map(([name]) => name);
  expect(found).toEqual([]);
});
