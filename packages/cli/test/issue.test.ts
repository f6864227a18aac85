import { mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asPopulationName, decodeHex, encodeBase64url, encodeUtf8, systemRandom } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { deviceIdOf, LIMITS, verifyCertificate } from "@tributary/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createIssuerServer } from "../src/issue/issuer-server.ts";
import { openIssuer } from "../src/issue/issuer.ts";
import { runMain } from "./run-main.ts";

let folder: string;
let keyDir: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-issue-"));
  keyDir = join(folder, "issuer");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const DEVICE = systemRandom.bytes(32);
const PUBLIC_KEY = encodeBase64url(DEVICE);

async function makeKey(): Promise<Uint8Array> {
  const { stdout, code } = await runMain("issue", "key", "--key-dir", keyDir);
  expect(code).toBe(0);
  return decodeHex(stdout.trim());
}

describe("tributary issue", () => {
  test("makes a key that its owner alone can read, once, and prints its public half", async () => {
    const publicKey = await makeKey();
    expect(publicKey).toHaveLength(32);
    expect((await stat(join(keyDir, "issuer.key.json"))).mode & 0o777).toBe(0o600);
    expect((await runMain("issue", "key", "--key-dir", keyDir)).stderr).toMatch(/never overwritten/);
    const shown = await runMain("issue", "public-key", "--key-dir", keyDir);
    expect(decodeHex(shown.stdout.trim())).toEqual(publicKey);
  });

  test("issues a certificate for a key, and records it", async () => {
    const issuer = await makeKey();
    const { stdout, code } = await runMain(
      "issue",
      "certificate",
      `--key-dir=${keyDir}`,
      `--public-key=${PUBLIC_KEY}`,
      "--population=clinics",
      "--hours=2",
      "--subject=ward 7",
    );
    expect(code).toBe(0);
    const fields = await verifyCertificate(encodeUtf8(stdout.trim()), issuer, Date.now());
    expect(fields).toMatchObject({ population: "clinics", deviceId: await deviceIdOf(DEVICE) });
    expect(fields.notAfterMs - fields.notBeforeMs).toBe(2 * 3_600_000);
    const record = (await readFile(join(keyDir, "issued.jsonl"), "utf8")).trim().split("\n");
    expect(record.map((line) => JSON.parse(line) as object)).toEqual([
      { at: expect.any(String), certificate: stdout.trim(), subject: "ward 7" },
    ]);
  });

  test("says what is missing or wrong", async () => {
    const certificate = ["issue", "certificate", "--key-dir", keyDir, "--public-key", PUBLIC_KEY];
    expect((await runMain(...certificate)).stderr).toMatch(/tributary issue key.*key-missing/);
    await makeKey();
    const wrong: [string[], RegExp][] = [
      [[...certificate.slice(0, -1), "abc"], /43 characters/],
      [[...certificate, "--hours", "169"], /1 to 168/],
      [[...certificate, "--population", "No Name"], /population/],
      [["issue", "serve", "--key-dir", keyDir, "--port", "0"], /at least 16 characters/],
      [["issue", "serve", "--key-dir", keyDir, "--secret-file", join(folder, "none")], /none cannot be read/],
    ];
    for (const [args, message] of wrong) {
      const { stderr, code } = await runMain(...args);
      expect(stderr).toMatch(message);
      expect(code).toBeGreaterThan(0);
    }
    await expect(stat(join(keyDir, "issued.jsonl"))).rejects.toThrow("ENOENT");
  });
});

describe("the issuer over HTTP", () => {
  const clock = createVirtualClock({ startMs: Date.UTC(2026, 0, 1) });
  const SECRET = "the backend's own secret".replaceAll(" ", "-");

  async function open(perMinute = 600) {
    await mkdir(keyDir, { mode: 0o700, recursive: true });
    const publicKey = await makeKey();
    const issuer = await openIssuer({
      keyDir,
      populations: [asPopulationName("default")],
      lifetimeMs: LIMITS.maxCertificateLifetimeMs,
      clock,
      random: systemRandom,
    });
    const server = await createIssuerServer({
      host: "127.0.0.1",
      port: 0,
      issuer,
      secret: SECRET,
      perMinute,
      clock,
    });
    const ask = async (body: unknown, secret = SECRET) => {
      const response = await fetch(`${server.url}/v1/certificates`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${secret}` },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
      const text = await response.text();
      const code = response.ok ? undefined : (JSON.parse(text) as { code: string }).code;
      return { status: response.status, headers: response.headers, text, code };
    };
    return { publicKey, ask, server, [Symbol.asyncDispose]: () => server.close() };
  }

  test("answers whoever knows the secret with a certificate, and tells everyone its public key", async () => {
    await using opened = await open();
    const answer = await opened.ask({
      population: "default",
      publicKey: PUBLIC_KEY,
      deviceId: await deviceIdOf(DEVICE),
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toContain("application/jwt");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const fields = await verifyCertificate(encodeUtf8(answer.text), opened.publicKey, clock.now());
    expect(fields.publicKey).toEqual(DEVICE);
    const shown = (await (await fetch(`${opened.server.url}/v1/issuer`)).json()) as { publicKey: string };
    expect(decodeHex(shown.publicKey)).toEqual(opened.publicKey);
  });

  test("refuses others, other populations and keys, and what is no request", async () => {
    await using opened = await open();
    const good = { population: "default", publicKey: PUBLIC_KEY };
    const cases: [unknown, string | undefined, number, string][] = [
      [good, "wrong", 401, "identity/not-authorized"],
      [{ ...good, population: "other" }, undefined, 403, "identity/wrong-population"],
      [{ ...good, deviceId: "0".repeat(32) }, undefined, 403, "identity/device-mismatch"],
      [{ ...good, publicKey: "AAAA" }, undefined, 400, "protocol/invalid-document"],
      [{ ...good, lifetime: 1 }, undefined, 400, "protocol/invalid-document"],
      ["{", undefined, 400, "http/bad-request"],
      [{ ...good, subject: "x".repeat(5_000) }, undefined, 413, "http/payload-too-large"],
    ];
    for (const [body, secret, status, code] of cases) {
      const answer = await opened.ask(body, secret);
      expect([answer.status, answer.code]).toEqual([status, code]);
    }
    await expect(stat(join(keyDir, "issued.jsonl"))).rejects.toThrow("ENOENT");
  });

  test("issues so many a minute, and hears so many wrong secrets", async () => {
    await using opened = await open(2);
    const good = { population: "default", publicKey: PUBLIC_KEY };
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await opened.ask(good)).status);
    expect(statuses).toEqual([200, 200, 429]);
    const refused = await opened.ask(good);
    expect(Number(refused.headers.get("retry-after"))).toBe(30);
    clock.advance(30_000);
    expect((await opened.ask(good)).status).toBe(200);
    const guesses: number[] = [];
    for (let i = 0; i < 61; i++) guesses.push((await opened.ask(good, `guess-${i}`)).status);
    expect(guesses.filter((status) => status === 401)).toHaveLength(60);
    expect(guesses.at(-1)).toBe(429);
  });
});
