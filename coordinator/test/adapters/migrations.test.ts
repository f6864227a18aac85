import { join } from "node:path";
import { asModelVersion, asTaskName } from "@tributary/core";
import { parseTaskSpec } from "@tributary/protocol";
import SqliteDatabase from "better-sqlite3";
import { CamelCasePlugin, Kysely, SqliteDialect } from "kysely";
import { Migrator } from "kysely/migration";
import { expect, test } from "vitest";
import { migrationProvider } from "../../src/adapters/sql/migrations/index.ts";
import { openSqlMetadataStore } from "../../src/adapters/sql/sql-metadata-store.ts";
import { temporaryFolder } from "../temporary-folder.ts";

test("a task of telemetry goes on counting what it counted, and has no reference", async () => {
  const folder = await temporaryFolder();
  const path = join(folder.path, "tributary.db");
  const raw = new SqliteDatabase(path);
  const plugins = [new CamelCasePlugin()];
  const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: raw }), plugins });
  await new Migrator({ db, provider: migrationProvider }).migrateTo("0017-model-forms");
  const digest = "a".repeat(64);
  for (const [name, kind, telemetry] of [
    ["all", "telemetry", []],
    ["some", "telemetry", ["errors"]],
    ["none", "train", []],
  ] as const) {
    const parsed = parseTaskSpec({ name, model: name, kind, telemetry, rounds: 1 });
    const { reference: _, ...earlier } = parsed;
    const spec = JSON.stringify(earlier);
    raw.exec(`
      insert into models (name, channel, current_version, parameters, parameter_count, graph_digest, graph_size_bytes, inputs, outputs, created_at)
        values ('${name}', 'stable', 1, '[]', 1, '${digest}', 1, '[]', '[]', 1);
      insert into tasks (name, model, population, state, spec, plan_number, plan_target, plan_digest, plan_size_bytes, created_at)
        values ('${name}', '${name}', 'default', 'running', '${spec}', 1, 'x', '${digest}', 1, 1);`);
  }
  await db.destroy();
  const store = await openSqlMetadataStore({ path });
  const specOf = async (name: string) => (await store.tasks.get(asTaskName(name)))?.spec;
  expect(await specOf("all")).toMatchObject({
    reference: null,
    telemetry: ["latency", "errors", "predictions", "confidence", "labels"],
  });
  expect(await specOf("some")).toMatchObject({ reference: null, telemetry: ["errors"] });
  expect(await specOf("none")).toMatchObject({ reference: null, telemetry: [] });
  await store.close();
  await folder.remove();
});

test("what the first release stored says afterwards how it was trained and averaged, and what goes in and out", async () => {
  const folder = await temporaryFolder();
  const path = join(folder.path, "tributary.db");
  const raw = new SqliteDatabase(path);
  const db = new Kysely<unknown>({
    dialect: new SqliteDialect({ database: raw }),
    plugins: [new CamelCasePlugin()],
  });
  await new Migrator({ db, provider: migrationProvider }).migrateTo("0001-spine");
  const digest = "a".repeat(64);
  const spec = {
    name: "digits",
    model: "digits",
    population: "default",
    rounds: 3,
    local: { epochs: 1, batchSize: 10, learningRate: 0.05, maxExamples: 600 },
    cohort: {
      goalCount: 10,
      minimumCount: 2,
      overSelection: 1.3,
      trainDeadlineMs: 60_000,
      reportDeadlineMs: 20_000,
    },
    pauseBetweenRoundsMs: 0,
    evaluation: { dataset: null, batchSize: 200 },
    maxUpdateNorm: 100,
  };
  raw.exec(`
    insert into models values ('digits', 'stable', 2, '[]', 1, '${digest}', 1, '{"name":"image"}', '{"name":"logits"}', null, 1);
    insert into tasks values ('digits', 'digits', 'default', 'running', '${JSON.stringify(spec)}', 1, 'plans/digits/1.json', '${digest}', 1, 1);
    insert into rounds (id, task, model, number, phase, base_version, started_at, offered, ready, cohort, reported, dropouts, refused, num_examples, bytes_up, bytes_down, config)
      values ('digits-1', 'digits', 'digits', 1, 'committed', 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{}');
    insert into versions values ('digits', 1, null, null, 1, '${digest}', 1, '${digest}', 1, '${digest}', 1, 1, null, null, 0, 0);
    insert into versions values ('digits', 2, 1, 'digits-1', 1, '${digest}', 1, '${digest}', 1, '${digest}', 1, 1, null, null, 2, 20);
    insert into optimizers values ('digits', 2, '{}');
    insert into targets values ('issuer.json', '${digest}', 1, null);
    insert into targets values ('models/digits/stable.json', '${digest}', 2, '{"n":1}');
    insert into targets values ('controls/digits/2.safetensors', '${digest}', 3, null);
    insert into targets values ('plans/digits/1.json', '${digest}', 4, null);
  `);
  await db.destroy();

  const store = await openSqlMetadataStore({ path });
  const fedAvg = { name: "fedAvg", parameters: { learningRate: 1 } };
  const task = await store.tasks.get(asTaskName("digits"));
  const now = parseTaskSpec({ ...spec, secureAggregation: { mode: "off" } });
  // What its plan did is what it says, not what a task that is created today would get.
  const loss = { kind: "softmax-cross-entropy" };
  expect(task!.spec).toEqual({
    ...now,
    strategy: fedAvg,
    loss,
    local: { ...now.local, loopSteps: 1 },
    batchNormalization: "frozen",
    stepPrecision: "float32",
  });
  const model = await store.models.get("digits" as never);
  expect(model).toMatchObject({
    inputs: [{ name: "image" }],
    outputs: [{ name: "logits" }],
    trainingGraph: null,
  });
  // Every version was released when it came.
  expect(model).toMatchObject({ currentVersion: 2, releasedVersion: 2, releasedAt: 1 });
  const stable = { model: "digits", name: "stable", releasedAt: 1 };
  expect(await store.channels.list("digits" as never)).toEqual([{ ...stable, version: 2 }]);
  expect(await store.channels.history("digits" as never)).toEqual([
    { ...stable, version: 2 },
    { ...stable, version: 1 },
  ]);
  expect(await store.aliases.list("digits" as never)).toEqual([
    { model: "digits", name: "champion", version: 2, movedAt: 1 },
  ]);
  expect((await store.rounds.list(asTaskName("digits")))[0]?.purpose).toBe("train");
  expect(task).toMatchObject({ gate: null, gatePlan: null });
  const versionOf = (version: number) => store.versions.get("digits" as never, asModelVersion(version));
  expect((await versionOf(1))?.strategy).toBeNull();
  expect((await versionOf(2))?.strategy).toEqual(fedAvg);
  expect((await versionOf(2))?.releasedAt).toBe(1);
  expect(await store.optimizers.get(asTaskName("digits"))).toBeUndefined();
  // What a model's roles sign has its place there; plans are renewed at the next start.
  expect(await store.releases.targets()).toEqual([
    { role: "targets", path: "issuer.json", digest, sizeBytes: 1, custom: null },
    {
      role: "digits-training",
      path: "models/digits/controls/digits/2.safetensors",
      digest,
      sizeBytes: 3,
      custom: null,
    },
    { role: "digits", path: "models/digits/stable.json", digest, sizeBytes: 2, custom: { n: 1 } },
    { role: "targets", path: "plans/digits/1.json", digest, sizeBytes: 4, custom: null },
  ]);
  expect((await versionOf(2))?.selfCheck).toBeNull();
  await store.close();
  await folder.remove();
});

test("the newest version that waited for a verdict is called so", async () => {
  const folder = await temporaryFolder();
  const path = join(folder.path, "tributary.db");
  const raw = new SqliteDatabase(path);
  const plugins = [new CamelCasePlugin()];
  const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: raw }), plugins });
  await new Migrator({ db, provider: migrationProvider }).migrateTo("0024-channels");
  const digest = "a".repeat(64);
  for (const model of ["digits", "cats"]) {
    raw.exec(`insert into models (name, current_version, parameters, parameter_count, graph_digest, graph_size_bytes, inputs, outputs, created_at)
      values ('${model}', 3, '[]', 1, '${digest}', 1, '[]', '[]', 1);
      insert into channels values ('${model}', 'stable', 1, 5);`);
    for (const version of [1, 2, 3])
      raw.exec(`insert into versions (model, version, parent_version, created_at, graph_digest, graph_size_bytes, weights_digest, weights_size_bytes, int8_digest, int8_size_bytes, parameter_count, metrics, cohort, num_examples)
        values ('${model}', ${version}, ${version === 1 ? null : version - 1}, ${10 * version}, '${digest}', 1, '${digest}', 1, '${digest}', 1, 1, '{}', 0, 0);`);
  }
  for (const [name, candidate] of [
    ["first", 3],
    ["second", 2],
    ["third", null],
  ]) {
    const spec = JSON.stringify(parseTaskSpec({ name, model: "digits" }));
    const gate = JSON.stringify({ reference: 1, candidate, failures: 0, last: null });
    raw.exec(`insert into tasks (name, model, population, state, spec, plan_number, plan_target, plan_digest, plan_size_bytes, gate, created_at)
      values ('${name}', 'digits', 'default', 'paused', '${spec}', 1, 'x', '${digest}', 1, '${gate}', 1);`);
  }
  await db.destroy();
  const store = await openSqlMetadataStore({ path });
  const aliases = async (model: string) =>
    (await store.aliases.list(model as never)).map(({ name, version, movedAt }) => [name, version, movedAt]);
  expect(await aliases("digits")).toEqual([
    ["candidate", 3, 30],
    ["champion", 1, 5],
  ]);
  expect(await aliases("cats")).toEqual([["champion", 1, 5]]);
  await store.close();
  await folder.remove();
});
