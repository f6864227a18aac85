import { asPopulationName, decodeHex, encodeHex, encodeUtf8, type TributaryError } from "@tributary/core";
import {
  leafHash,
  logHeadOf,
  requireLogContinues,
  rootOfInclusion,
  verifyMembership,
  type CertificateLogView,
  type LogHead,
} from "@tributary/protocol";
import { parseMetadata } from "@tributary/tuf";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { resolveConfig } from "../../src/config.ts";
import { createCertificateLog, HEAD_INTERVAL_MS } from "../../src/enrolment/certificate-log.ts";
import { createEnrolment, type EnrolmentRoom } from "../../src/enrolment/enrolment.ts";
import { createAccessPolicy } from "../../src/http/access-policy.ts";
import { createApp, type App } from "../../src/http/app.ts";
import { createReleases } from "../../src/releases/releases.ts";
import type { CertificateLog, Releases } from "../../src/rooms.ts";
import { codeOf } from "../../src/testing/index.ts";
import { guardFor } from "../operator.ts";
import { enrolDevice } from "../device-socket.ts";
import { openRoom, type Room } from "../room.ts";

const DEFAULT = asPopulationName("default");

let room: Room;
let releases: Releases;
let log: CertificateLog;
let enrolment: EnrolmentRoom;
/** In an object: a Fastify instance is itself awaitable. */
let http: { readonly app: App };

beforeEach(async () => {
  room = await openRoom();
  releases = await createReleases(room);
  log = createCertificateLog({
    ...room,
    store: room.store,
    releases,
  });
  enrolment = await createEnrolment({ ...room, store: room.store, logGrew: () => log.grew() });
  const config = resolveConfig({ dataDir: room.config.dataDir, logLevel: "silent" });
  http = await createApp({
    config,
    access: createAccessPolicy(config),
    guard: guardFor({ operator: "Bearer operator" }),
    version: "0",
  });
  log.register(http.app);
  await http.app.ready();
});

afterEach(async () => {
  await http.app.close();
  await log.close();
  await releases.close();
  await room.dispose();
});

const enrol = async () => (await enrolDevice(enrolment, DEFAULT)).certificate;

async function signedHead(): Promise<{ version: number; head: LogHead | undefined }> {
  const timestamp = (await room.store.releases.latest("timestamp"))!;
  const { custom } = (await parseMetadata("timestamp", timestamp.bytes)).signed;
  return { version: timestamp.version, head: logHeadOf(custom) };
}

async function get<T>(path: string, authorization?: string): Promise<{ status: number; body: T }> {
  const answer = await http.app.inject({
    url: `/v1/certificate-log${path}`,
    headers: { host: "localhost", ...(authorization === undefined ? {} : { authorization }) },
  });
  return { status: answer.statusCode, body: answer.json<T>() };
}

describe("the signed head", () => {
  test("is there from the first timestamp on, and follows new entries at once, then a second later for all that came", async () => {
    expect(await signedHead()).toMatchObject({ version: 1, head: { treeSize: 0 } });
    await enrol();
    room.clock.advance(0);
    await expect.poll(async () => (await signedHead()).head?.treeSize).toBe(1);
    for (let i = 0; i < 5; i++) await enrol();
    room.clock.advance(HEAD_INTERVAL_MS - 1);
    expect((await signedHead()).head?.treeSize).toBe(1);
    room.clock.advance(1);
    await expect.poll(async () => (await signedHead()).head?.treeSize).toBe(6);
    expect((await signedHead()).version).toBe(3);
  });

  test("never goes back, whatever else is signed", async () => {
    await enrol();
    await releases.signLogHeads();
    const { head } = await signedHead();
    await releases.release({ put: [] }, (change) => room.store.releases.apply(change));
    expect((await signedHead()).head).toEqual(head);
    room.clock.setNow(room.clock.now() + 6 * 86_400_000);
    await releases.close();
    releases = await createReleases(room);
    expect((await signedHead()).head).toEqual(head);
  });
});

describe("proofs", () => {
  test("show members of a cohort that the others are in the log, without waiting for the head", async () => {
    const certificates: Uint8Array[] = [];
    for (let i = 0; i < 7; i++) certificates.push(await enrol());
    const cohort = [5, 0, 3].map((i) => certificates[i]!);
    const head = verifyMembership(await log.prove(cohort), cohort);
    expect(head).toEqual((await signedHead()).head);
    expect(head.treeSize).toBe(7);
    await log.requireLogged(cohort[0]!);
    const stranger = encodeUtf8("never presented");
    expect(await codeOf(log.requireLogged(stranger))).toBe("identity/not-logged");
    expect(await codeOf(log.prove([...cohort, stranger]))).toBe("identity/not-logged");
  });

  test("are served: inclusion and consistency for everyone, the certificates to operators", async () => {
    const certificates: Uint8Array[] = [];
    for (let i = 0; i < 3; i++) certificates.push(await enrol());
    const before = await releases.signLogHeads();
    for (let i = 0; i < 6; i++) certificates.push(await enrol());
    const after = await releases.signLogHeads();
    const { body: view } = await get<CertificateLogView>("");
    expect(view).toMatchObject({ head: after, signed: after });

    const leaf = leafHash(certificates[4]!);
    const inclusion = await get<{ index: number; path: string[] }>(`/inclusion?leafHash=${encodeHex(leaf)}`);
    const path = inclusion.body.path.map(decodeHex);
    const root = rootOfInclusion({ leafHash: leaf, index: inclusion.body.index, size: 9, path })!;
    expect([inclusion.body.index, encodeHex(root)]).toEqual([4, after.rootHash]);

    const consistency = await get<{ path: string[] }>("/consistency?first=3&second=9");
    requireLogContinues(before, after, consistency.body.path);

    const entries = await get<{ certificates: string[] }>("/entries?start=2&limit=3", "Bearer operator");
    expect(entries.body.certificates.map(encodeUtf8)).toEqual(certificates.slice(2, 5));

    const refused = [
      ["/entries", 401],
      [`/inclusion?leafHash=${"0".repeat(64)}`, 403],
      [`/inclusion?leafHash=${encodeHex(leaf)}&treeSize=4`, 403],
      [`/inclusion?leafHash=${encodeHex(leaf)}&treeSize=10`, 400],
      ["/consistency?first=0&second=3", 400],
      ["/consistency?first=4&second=3", 400],
      ["/consistency?first=4&second=10", 400],
    ] as const;
    for (const [url, status] of refused) expect([url, (await get(url)).status]).toEqual([url, status]);
    expect((await get("/entries?limit=100000", "Bearer operator")).status).toBe(400);
  });

  test("a certificate is admitted and logged in one step, or neither", async () => {
    const token = await enrolment.mintToken(DEFAULT);
    const bad = { token, publicKey: "A".repeat(43), proof: "A".repeat(86) };
    const refused = await enrolment.enrol(DEFAULT, bad).catch((error: TributaryError) => error.code);
    expect(refused).toBe("identity/invalid-proof");
    expect([await room.store.certificateLog.size(), await room.store.devices.count()]).toEqual([0, 0]);
    await enrol();
    expect([await room.store.certificateLog.size(), await room.store.devices.count()]).toEqual([1, 1]);
  });
});
