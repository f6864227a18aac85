import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { asPopulationName, decodeBase64url, decodeUtf8, encodeBase64url } from "@tributary/core";
import { enrolmentMessage, type EnrolmentResponse } from "@tributary/protocol";
import { generateTufKey } from "@tributary/tuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runMain } from "./run-main.ts";

let folder: string;
let dataDir: string;
let coordinator: Coordinator;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-log-"));
  dataDir = join(folder, "coordinator");
  coordinator = await createCoordinator({ dataDir, port: 0, logLevel: "silent" });
  await writeFile(join(folder, "root.json"), coordinator.tufRoot);
});
afterAll(async () => {
  await coordinator.close();
  await rm(folder, { recursive: true, force: true });
});

async function enrol(): Promise<string> {
  const { signer } = await generateTufKey();
  const token = await coordinator.mintEnrolmentToken(asPopulationName("default"));
  const response = await fetch(`${coordinator.url}/v1/populations/default/enrolments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      token,
      publicKey: encodeBase64url(signer.publicKey),
      proof: encodeBase64url(await signer.sign(enrolmentMessage(token))),
    }),
  });
  const { certificate } = (await response.json()) as EnrolmentResponse;
  return decodeUtf8(decodeBase64url(certificate));
}

/** Until the signed head has caught up with the log. */
async function verified(size: number, ...more: string[]): Promise<Awaited<ReturnType<typeof verify>>> {
  await expect
    .poll(async () => JSON.parse((await verify("--json")).stdout) as object, { timeout: 5_000 })
    .toMatchObject({ head: { treeSize: size } });
  return verify(...more);
}

const verify = (...more: string[]) =>
  runMain(
    "log",
    "verify",
    `--url=${coordinator.url}`,
    `--data-dir=${dataDir}`,
    `--root=${join(folder, "root.json")}`,
    ...more,
  );

test("an audit recomputes the log, follows it from one to the next, and misses what the issuer has no record of", async () => {
  const seen = join(folder, "head.json");
  const issued = join(folder, "issued.jsonl");
  const record = async (certificates: readonly string[]) =>
    writeFile(issued, certificates.map((certificate) => `${JSON.stringify({ certificate })}\n`).join(""));
  expect(await verified(0, "--seen", seen)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^0 certificates of 0 devices/),
  });
  const certificates = [await enrol(), await enrol(), await enrol()];
  await record(certificates);
  const audit = await verified(3, "--seen", seen, "--issued", issued);
  expect(audit).toMatchObject({ code: 0, stderr: "" });
  expect(audit.stdout).toMatch(/^3 certificates of 3 devices, root [0-9a-f]{64}: as signed\ndefault +3\n$/);
  certificates.push(await enrol(), await enrol());
  await record(certificates);
  expect((await verified(5, "--seen", seen, "--issued", issued)).code).toBe(0);
  const head = JSON.parse(await readFile(seen, "utf8")) as { treeSize: number; rootHash: string };
  expect(head.treeSize).toBe(5);

  await record(certificates.slice(0, 4));
  expect((await verify("--issued", issued)).stderr).toMatch(/certificate 4, .*identity\/not-issued/);
  expect((await verify("--issuer", "ab".repeat(32))).stderr).toMatch(/identity\/invalid-certificate/);
  const other = { ...head, rootHash: "0".repeat(64) };
  const heads: [object, RegExp][] = [
    [other, /identity\/log-forked/],
    [{ ...other, treeSize: 4 }, /identity\/log-forked/],
    [{ ...head, treeSize: 6 }, /identity\/log-shrunk/],
    [{ ...other, treeSize: 0 }, /identity\/log-forked/],
  ];
  for (const [before, code] of heads) {
    await writeFile(seen, JSON.stringify(before));
    const answer = await verify("--seen", seen);
    expect(answer.stderr).toMatch(code);
    expect(answer.code).toBe(1);
    // What was seen stays: the next audit finds the same.
    expect(JSON.parse(await readFile(seen, "utf8"))).toEqual(before);
  }
});

test("an audit says what it needs", async () => {
  const token = await runMain("log", "verify", "--url", coordinator.url, "--data-dir", folder);
  expect(token.stderr).toMatch(/cli\/not-logged-in/);
  const believed = await runMain("log", "verify", "--url", coordinator.url, "--data-dir", dataDir);
  expect([believed.code, believed.stderr]).toEqual([0, expect.stringMatching(/own root is believed/)]);
  expect((await verify("--issued", join(folder, "root.json"))).stderr).toMatch(/line 1 is no record/);
  expect((await verify("--issuer", "abc")).stderr).toMatch(/64 hexadecimal digits/);
});
