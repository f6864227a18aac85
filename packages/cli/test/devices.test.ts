import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { asPopulationName, encodeBase64url } from "@tributary/core";
import { deviceIdOf, enrolmentMessage } from "@tributary/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runMain } from "./run-main.ts";

let folder: string;
let coordinator: Coordinator;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-devices-"));
  coordinator = await createCoordinator({ dataDir: folder, port: 0, logLevel: "silent" });
});
afterAll(async () => {
  await coordinator.close();
  await rm(folder, { recursive: true, force: true });
});

const devices = (command: string, ...more: string[]) =>
  runMain("devices", command, `--url=${coordinator.url}`, `--data-dir=${folder}`, ...more);

/** A new device, with a token of the command line. */
async function enrol(...options: string[]): Promise<string> {
  const { stdout } = await runMain("token", `--data-dir=${folder}`, ...options);
  const token = stdout.trim();
  const keys = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey));
  const proof = new Uint8Array(await crypto.subtle.sign("Ed25519", keys.privateKey, enrolmentMessage(token)));
  const answer = await fetch(`${coordinator.url}/v1/populations/default/enrolments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      token,
      publicKey: encodeBase64url(publicKey),
      proof: encodeBase64url(proof),
    }),
  });
  expect(answer.status).toBe(200);
  return deviceIdOf(publicKey);
}

test("devices are listed, shown, revoked and let in again", async () => {
  const pilot = await enrol("--tag", "pilot", "--tag=lab");
  const plain = await enrol();
  await coordinator.mintEnrolmentToken(asPopulationName("default"));

  const listed = async (...more: string[]) => {
    const { stdout, code } = await devices("list", "--json", ...more);
    expect(code).toBe(0);
    return (JSON.parse(stdout) as { devices: { deviceId: string }[] }).devices.map((each) => each.deviceId);
  };
  expect(await listed()).toEqual([pilot, plain].toSorted());
  expect(await listed("--tag", "pilot")).toEqual([pilot]);
  expect(await listed("--search", plain.slice(0, 12))).toEqual([plain]);
  expect(await listed("--seen-since", "7d")).toEqual([]);
  expect(await listed("--seen-before", "2999-01-01T00:00Z", "--population=default")).toHaveLength(2);
  const table = await devices("list", "--limit", "1");
  expect(table.stdout).toContain("last seen");
  expect(table.stdout).toContain(`1 of 2\nthere is more: --cursor ${[pilot, plain].toSorted()[0]}`);
  expect((await devices("list", "--model", "none")).stdout).toBe("no such device\n");

  const shown = await devices("show", pilot);
  expect(shown.stdout).toContain("lab, pilot");
  expect(shown.stdout).toContain("never");

  // Without a terminal it does not happen by accident.
  expect(await devices("revoke", pilot, "--reason", "stolen")).toMatchObject({ code: 2 });
  const revoked = await devices("revoke", pilot, "--reason", "stolen", "--yes");
  expect(revoked).toMatchObject({ code: 0, stdout: `revoked ${pilot} of default\n` });
  expect(await listed("--state", "revoked")).toEqual([pilot]);
  expect(await devices("readmit", pilot)).toMatchObject({ code: 0, stdout: `${pilot} may enrol again\n` });
  expect(JSON.parse((await devices("show", pilot, "--json")).stdout)).toMatchObject({ state: "readmitted" });
});

test.each([
  [["list", "--seen-since", "yesterday"], 2, /Expected a time/],
  [["list", "--state", "gone"], 2, /allowed choices|Allowed choices/i],
  [["list", "--model-version", "3"], 2, /http\/bad-request/],
  [["show", "f".repeat(32)], 5, /identity\/unknown-device/],
  [["readmit", "f".repeat(32)], 5, /identity\/unknown-device/],
])("%j is refused", async ([command, ...more], code, message) => {
  const result = await devices(command!, ...more);
  expect(result.code).toBe(code);
  expect(result.stderr).toMatch(message);
});
