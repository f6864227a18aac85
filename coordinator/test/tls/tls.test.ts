import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import { createLogger, systemClock, systemRandom, type LogEntry } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { resolveConfig } from "../../src/config.ts";
import { noticesOf } from "../../src/notices.ts";
import {
  readCertificateFiles,
  watchCertificateFiles,
  WATCH_MS,
  type KeyPair,
} from "../../src/tls/certificate-files.ts";
import { fingerprintOf, openSelfSigned } from "../../src/tls/self-signed.ts";
import { tlsOf } from "../../src/tls/tls-options.ts";
import { codeOf } from "../../src/testing/index.ts";
import { runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";
import { temporaryFolder } from "../temporary-folder.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let first: KeyPair;
let second: KeyPair;
beforeAll(async () => {
  folder = await temporaryFolder();
  [first, second] = (await Promise.all(
    ["a", "b"].map((name) =>
      openSelfSigned({
        folder: join(folder.path, name),
        names: [],
        clock: systemClock,
        random: systemRandom,
      }),
    ),
  )) as [KeyPair, KeyPair];
});
afterAll(() => folder.remove());

async function write(pair: KeyPair, name = "own"): Promise<{ certFile: string; keyFile: string }> {
  const files = { certFile: join(folder.path, `${name}.crt`), keyFile: join(folder.path, `${name}.key`) };
  await writeFile(files.certFile, pair.cert);
  await writeFile(files.keyFile, pair.key);
  return files;
}

/** SHA-256 of the certificate that a new connection is shown. */
async function shownBy({ port }: RunningCoordinator): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

/** An answer, by a client that trusts nothing but this certificate. */
async function get(url: string, ca: string): Promise<IncomingMessage> {
  const request = httpsRequest(url, { ca });
  request.end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.resume();
  await once(response, "end");
  return response;
}

test("a certificate of files serves requests and sockets, and a new one takes its place without a restart", async () => {
  const lines: LogEntry[] = [];
  const log = createLogger({ write: (line) => lines.push(line) });
  const tls = await write(first);
  const coordinator = await runningCoordinator({ tls, env: { log } });
  try {
    expect(coordinator.url).toMatch(/^https:/);
    expect(coordinator.tlsFingerprint).toBe(fingerprintOf(first.cert));
    expect(await shownBy(coordinator)).toBe(fingerprintOf(first.cert));
    const answer = await get(`${coordinator.url}/healthz`, first.cert);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers["strict-transport-security"]).toBe("max-age=31536000");
    const socket = new WebSocket(`${coordinator.url.replace("https", "wss")}/v1/connect`, "tributary.v1", {
      ca: first.cert,
    });
    // What is said there is for devices; that it is said will do.
    await Promise.race([once(socket, "message"), once(socket, "unexpected-response")]);
    socket.terminate();

    await write(second);
    await coordinator.reloadCertificate();
    expect(await shownBy(coordinator)).toBe(fingerprintOf(second.cert));
    await writeFile(tls.keyFile, first.key);
    await coordinator.reloadCertificate();
    expect(await shownBy(coordinator)).toBe(fingerprintOf(second.cert));
    expect(lines.map(({ level, message }) => `${level} ${message}`)).toContain(
      "error tls: the new certificate cannot be used, the one before stays",
    );
    expect(JSON.stringify(lines)).not.toContain("PRIVATE KEY");
  } finally {
    await coordinator.end();
  }
});

test("files that change are read by themselves, once they fit together", async () => {
  const clock = createVirtualClock();
  const files = await write(first, "watched");
  const changes: KeyPair[] = [];
  const failures: string[] = [];
  const log = createLogger({ write: ({ level, message }) => level === "error" && failures.push(message) });
  const watched = watchCertificateFiles({
    env: { clock, log },
    files,
    onChange: (pair) => changes.push(pair),
  });
  const look = async (): Promise<void> => {
    clock.advance(WATCH_MS);
    await vi.waitFor(() => expect(clock.pendingTimers).toBe(1));
  };
  await look();
  expect(changes).toEqual([]);
  await writeFile(files.certFile, second.cert);
  await look();
  expect([changes.length, failures.length]).toEqual([0, 1]);
  await writeFile(files.keyFile, second.key);
  await look();
  await look();
  expect(changes).toEqual([second]);
  watched.close();
  expect(clock.pendingTimers).toBe(0);
});

test("a certificate for trials is the same at the next start, and another for other names or near its end", async () => {
  const clock = createVirtualClock({ startMs: Date.now() });
  const open = (names: readonly string[]) =>
    openSelfSigned({ folder: join(folder.path, "trials"), names, clock, random: systemRandom });
  const made = fingerprintOf((await open(["fl.example"])).cert);
  expect(made).toMatch(/^(?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  expect(fingerprintOf((await open(["fl.example"])).cert)).toBe(made);
  expect(fingerprintOf((await open([])).cert)).toBe(made);
  const other = fingerprintOf((await open(["192.0.2.7"])).cert);
  expect(other).not.toBe(made);
  clock.advance(61 * 86_400_000);
  expect(fingerprintOf((await open(["192.0.2.7"])).cert)).not.toBe(other);
});

test("a coordinator with one says its fingerprint, and does not ask browsers to insist on TLS", async () => {
  const coordinator = await runningCoordinator({ tls: "self-signed", host: "localhost" });
  try {
    const pem = await readFile(join(coordinator.dataDir, "tls/self-signed.pem"), "utf8");
    const ca = pem.slice(pem.indexOf("-----BEGIN CERTIFICATE"));
    const answer = await get(`${coordinator.url}/healthz`, ca);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers["strict-transport-security"]).toBeUndefined();
    expect(coordinator.notices).toEqual([expect.stringContaining(coordinator.tlsFingerprint!)]);
  } finally {
    await coordinator.end();
  }
});

test.each([
  ["there is no file", { certFile: "none.crt", keyFile: "none.key" }],
  ["it is no certificate", { certFile: "text", keyFile: "text" }],
])("a start fails where %s", async (_, names) => {
  await writeFile(join(folder.path, "text"), "no certificate");
  const tls = { certFile: join(folder.path, names.certFile), keyFile: join(folder.path, names.keyFile) };
  expect(await codeOf(readCertificateFiles(tls))).toBe("coordinator/tls-unusable");
});

test("options of the command line come to one way of TLS, or are refused", () => {
  expect(tlsOf({})).toEqual({});
  expect(tlsOf({ tls: "self-signed" })).toEqual({ tls: "self-signed" });
  expect(tlsOf({ tlsCert: "a", tlsKey: "b" })).toEqual({ tls: { certFile: "a", keyFile: "b" } });
  for (const options of [{ tlsCert: "a" }, { tlsKey: "b" }, { tls: "self-signed", tlsCert: "a" }] as const)
    expect(() => tlsOf(options)).toThrow("--tls");
});

test("whoever listens beyond this machine without TLS is told what will not work", () => {
  const notices = (config: Partial<Parameters<typeof resolveConfig>[0]>) =>
    noticesOf(resolveConfig({ dataDir: "x", ...config }), undefined);
  expect(notices({})).toEqual([]);
  expect(notices({ host: "localhost" })).toEqual([]);
  const [notice] = notices({ host: "0.0.0.0" });
  for (const word of ["secure context", "keys", "WebGPU", "threads", "--tls-cert", "--trusted-proxy"])
    expect(notice).toContain(word);
  expect(notices({ host: "0.0.0.0", publicUrl: "https://fl.example" })).toEqual([]);
  const oidc = { issuer: "https://login.example", clientId: "x", grants: ["groups=a:viewer"] };
  expect(notices({ oidc })).toEqual([]);
  expect(notices({ oidc, host: "0.0.0.0", tls: "self-signed" })).toEqual([
    expect.stringContaining("--public-url"),
  ]);
  expect(notices({ openEnrolment: ["default"] })).toEqual([expect.stringContaining("anybody may enrol")]);
});

test.each([
  ["trustedProxies", { trustedProxies: ["10.0.0.0/0"] }],
  ["trustedProxies", { trustedProxies: ["10.0.0.0/33"] }],
  ["trustedProxies", { trustedProxies: ["proxy.example"] }],
  ["openEnrolment", { openEnrolment: ["Not A Name"] }],
  ["openEnrolment", { openEnrolment: ["default"], issuer: { publicKey: "ab".repeat(32) } }],
  ["rates.requestsPerAddress", { rates: { requestsPerAddress: 0 } }],
] as const)("an impossible %s is refused by its name", (field, config) => {
  expect(() => resolveConfig({ dataDir: "x", ...config })).toThrow(`coordinator: ${field}: expected`);
});
