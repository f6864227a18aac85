import { join } from "node:path";
import { asDeviceId, asModelName, asModelVersion, asPopulationName } from "@tributary/core";
import SqliteDatabase from "better-sqlite3";
import { CamelCasePlugin, Kysely, SqliteDialect } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { devicePage } from "../../src/adapters/sql/repositories/fleet-queries.ts";
import type { Database } from "../../src/adapters/sql/schema.ts";
import { openSqlMetadataStore } from "../../src/adapters/sql/sql-metadata-store.ts";
import type { MetadataStore } from "../../src/ports/metadata-store.ts";
import type { FleetFilter } from "../../src/ports/device-records.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const DEVICES = 100_000;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let store: MetadataStore;
let raw: SqliteDatabase.Database;
let db: Kysely<Database>;

beforeAll(async () => {
  folder = await temporaryFolder();
  const path = join(folder.path, "tributary.db");
  store = await openSqlMetadataStore({ path });
  raw = new SqliteDatabase(path);
  raw.exec(`
    begin;
    with recursive n (i) as (select 0 union all select i + 1 from n where i < ${DEVICES - 1})
      insert into devices (device_id, population, public_key, state, enrolled_at, certificate_serial, certificate_expires_at, last_seen_at, software)
      select printf('%032x', i * 7919), case i % 4 when 0 then 'clinics' else 'default' end, zeroblob(32),
        case i % 1000 when 0 then 'revoked' else 'active' end, i, 's', 1, i, 'app/' || (i % 3) from n;
    insert into device_versions (device_id, model, version, engine, population, at)
      select device_id, 'digits', 1 + rowid % 5, case rowid % 2 when 0 then 'ort-wasm' end, population, last_seen_at from devices;
    insert into device_tags (tag, device_id) select 'even', device_id from devices where rowid % 2 = 0;
    commit;`);
  db = new Kysely<Database>({
    dialect: new SqliteDialect({ database: raw }),
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
  });
});
afterAll(async () => {
  await db.destroy();
  await store.close();
  await folder.remove();
});

const MODEL = asModelName("digits");
const FILTERS: readonly (readonly [string, FleetFilter])[] = [
  ["none", {}],
  ["population", { population: asPopulationName("clinics") }],
  ["state", { state: "revoked" }],
  ["software", { software: "app/1" }],
  ["tag", { tag: "even" }],
  ["version", { model: MODEL, version: asModelVersion(3) }],
  ["engine", { model: MODEL, engine: "ort-wasm" }],
  ["id", { search: "00000000000000000000000000001" }],
];

test.each(FILTERS)("a page of 100,000 devices by %s goes along an index and sorts nothing", (_, filter) => {
  const after = asDeviceId((7919 * 1_000).toString(16).padStart(32, "0"));
  const { sql, parameters } = devicePage(db, filter, { limit: 50, after }).compile();
  const plan = raw.prepare(`explain query plan ${sql}`).all(...parameters) as { detail: string }[];
  const details = plan.map(({ detail }) => detail).join("; ");
  expect(details).toMatch(/SEARCH \S+ USING (COVERING )?INDEX/);
  expect(details).not.toMatch(/SCAN|TEMP B-TREE/);
});

test("every device is on exactly one page", async () => {
  const seen = new Set<string>();
  let pages = 0;
  let after: ReturnType<typeof asDeviceId> | undefined;
  for (;;) {
    const page = await store.fleet.list({ tag: "even" }, { limit: 5_000, ...(after && { after }) });
    for (const { deviceId } of page) seen.add(deviceId);
    after = page.at(-1)?.deviceId;
    if (after === undefined) break;
    pages += 1;
  }
  expect([seen.size, pages]).toEqual([DEVICES / 2, 10]);
  expect(await store.fleet.count({ tag: "even" })).toBe(DEVICES / 2);
});

test("the fleet is counted from indices alone", async () => {
  const counts = await store.fleet.counts({ seenSince: DEVICES / 2, limit: 3 });
  expect(counts).toMatchObject({ known: DEVICES, active: DEVICES / 2 - 50, revoked: 100 });
  expect(counts.versions).toHaveLength(3);
  await store.fleet.noteAdoption(1);
  const noted = await store.fleet.adoption(MODEL, { since: 0 });
  expect(noted.reduce((sum, { devices }) => sum + devices, 0)).toBe(DEVICES);
});
