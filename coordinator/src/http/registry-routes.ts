import { asModelName, encodeHex, failure, type Clock, type RoundId } from "@tributary/core";
import {
  ModelList,
  ModelNameSchema,
  ModelView,
  PublishQuery,
  RefusalList,
  RefusalListQuery,
  RoundIdSchema,
  RoundList,
  RoundListQuery,
  RoundView,
  StatusView,
  TASK_SCHEMA,
  TaskList,
  TaskNameSchema,
  TaskReset,
  TaskResetView,
  TaskSpec,
  TaskStateChange,
  TaskView,
  VersionList,
  VersionListQuery,
  VersionOrAliasParam,
  VersionView,
  type DevicesView,
  type PushView,
  type RefusedVersionView,
} from "@tributary/protocol";
import type { Readable } from "node:stream";
import Type from "typebox";
import { actorOf, sees } from "../access/principal.ts";
import type { ResolvedConfig } from "../config.ts";
import { LISTS } from "../pages/lists.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { versionInPath } from "../registry/aliases.ts";
import type { Registry } from "../registry/registry.ts";
import type { ModelRecord } from "../ports/model-records.ts";
import type { RoundRecord } from "../ports/round-records.ts";
import { modelView, refusalView, roundView, taskView, timestamp, versionView } from "../registry/views.ts";
import { type StorageProblem, storageProblemView } from "../storage-health.ts";
import type { App } from "./app.ts";
import { bodyCheckedByHandler } from "./validators.ts";
import { octetStream } from "./blob-routes.ts";

export interface RegistryRoutesOptions {
  readonly config: ResolvedConfig;
  readonly store: MetadataStore;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly version: string;
  /** Of the issuer of device certificates. */
  readonly issuerPublicKey: Uint8Array;
  readonly devices: () => DevicesView;
  readonly push: () => PushView | null;
  readonly refusedVersions: () => RefusedVersionView[];
  /** Why nothing can be stored at present. */
  readonly storageProblem: () => StorageProblem | null;
}

const tags = ["operator"];
const modelParams = Type.Object({ model: ModelNameSchema });
const versionParams = Type.Object({ model: ModelNameSchema, version: VersionOrAliasParam });
const taskParams = Type.Object({ task: TaskNameSchema });
const roundParams = Type.Object({ roundId: RoundIdSchema });
const operator = [{ operator: [] }];

/** What operators read and write: models, versions, tasks, rounds, status. */
export function registerRegistryRoutes(app: App, options: RegistryRoutesOptions): void {
  const { config, store, registry, clock } = options;
  const startedAt = clock.now();
  const startedMonotonicMs = clock.monotonicMs();

  app.get(
    "/v1/status",
    {
      config: { of: "any" },
      schema: { summary: "Who this is, and how many devices are here", tags, response: { 200: StatusView } },
    },
    async (request) => ({
      name: config.name,
      version: options.version,
      startedAt: timestamp(startedAt),
      uptimeSeconds: (clock.monotonicMs() - startedMonotonicMs) / 1000,
      devices: options.devices(),
      push: options.push(),
      refusedVersions: options.refusedVersions().filter(({ model }) => sees(request, asModelName(model))),
      models: (await store.models.list()).filter(({ name }) => sees(request, name)).length,
      tasks: (await store.tasks.list()).filter(({ model }) => sees(request, model)).length,
      storageProblem: storageProblemView(options.storageProblem()),
      demoUrl: config.demoUrl ?? null,
      issuer: {
        kind: config.issuer === undefined ? ("coordinator" as const) : ("outside" as const),
        name: config.issuer?.name ?? config.name,
        publicKey: encodeHex(options.issuerPublicKey),
        certificates: await store.certificateLog.size(),
      },
    }),
  );

  const viewOf = async (model: ModelRecord): Promise<ModelView> =>
    modelView(model, {
      versions: await store.versions.count(model.name),
      channels: await store.channels.list(model.name),
      aliases: await store.aliases.list(model.name),
    });

  app.get(
    "/v1/models",
    { config: { of: "any" }, schema: { summary: "All models", tags, response: { 200: ModelList } } },
    async (request) => {
      const models: ModelView[] = [];
      for (const model of await store.models.list())
        if (sees(request, model.name)) models.push(await viewOf(model));
      return { models };
    },
  );

  app.get(
    "/v1/models/:model",
    { schema: { summary: "One model", tags, params: modelParams, response: { 200: ModelView } } },
    async ({ params }) => viewOf(await registry.model(params.model)),
  );

  app.get(
    "/v1/models/:model/versions",
    {
      schema: {
        summary: "The versions of a model with their lineage, newest first",
        tags,
        params: modelParams,
        querystring: VersionListQuery,
        response: { 200: VersionList },
      },
    },
    async ({ params, query }) => {
      const model = await registry.model(params.model);
      const { rows, next } = await LISTS.versions(query, (page) => store.versions.list(model.name, page));
      return { versions: rows.map(versionView), next };
    },
  );

  app.get(
    "/v1/models/:model/versions/:version",
    {
      schema: {
        summary: "One version of a model with its lineage, by its number or what it is called",
        tags,
        params: versionParams,
        response: { 200: VersionView },
      },
    },
    async ({ params }) => versionView(await registry.version(params.model, versionInPath(params.version))),
  );

  app.post(
    "/v1/models/:model/versions",
    {
      schema: {
        summary: "Publish a model: an ONNX file, or the artifact of a TensorFlow.js model",
        tags,
        consumes: ["application/octet-stream"],
        security: operator,
        params: modelParams,
        querystring: PublishQuery,
        response: { 201: VersionView },
      },
    },
    async (request, reply) => {
      const onnx = await collect(octetStream(request.body), config.limits.maxModelBytes);
      const { model } = request.params;
      const { importedFrom: manifest, ...wanted } = request.query;
      const version = await registry.publish(model, onnx, actorOf(request), {
        ...wanted,
        imported: manifest && { manifest },
      });
      return reply.status(201).send(versionView(version));
    },
  );

  app.get(
    "/v1/tasks",
    { config: { of: "any" }, schema: { summary: "All tasks", tags, response: { 200: TaskList } } },
    async (request) => {
      const tasks: TaskView[] = [];
      for (const task of await store.tasks.list())
        if (sees(request, task.model)) tasks.push(taskView(task, await registry.progress(task)));
      return { tasks };
    },
  );

  app.get(
    "/v1/tasks/:task",
    { schema: { summary: "One task", tags, params: taskParams, response: { 200: TaskView } } },
    async ({ params }) => {
      const task = await registry.task(params.task);
      return taskView(task, await registry.progress(task));
    },
  );

  app.post(
    "/v1/tasks",
    {
      config: { of: "body" },
      // Checked by parseTaskSpec, which fills in the defaults and names the field that is wrong.
      schema: {
        summary: "Create a task and start it",
        tags,
        security: operator,
        body: TaskSpec,
        response: { 201: TaskView },
      },
      validatorCompiler: bodyCheckedByHandler,
    },
    async (request, reply) => {
      const task = await registry.createTask(request.body, actorOf(request));
      return reply.status(201).send(taskView(task, await registry.progress(task)));
    },
  );

  app.post(
    "/v1/tasks/:task/state",
    {
      schema: {
        summary: "Pause a task, or let it go on",
        tags,
        security: operator,
        params: taskParams,
        body: TaskStateChange,
        response: { 200: TaskView },
      },
    },
    async (request) => {
      const task = await registry.changeTask(request.params.task, request.body, actorOf(request));
      return taskView(task, await registry.progress(task));
    },
  );

  app.post(
    "/v1/tasks/:task/head",
    {
      schema: {
        summary: "Let a paused task go on from an earlier version, with what its server optimizer remembered",
        tags,
        security: operator,
        params: taskParams,
        body: TaskReset,
        response: { 200: TaskResetView },
      },
    },
    async (request) => {
      const { version } = request.body;
      const { task, from, optimizer } = await registry.resetHead(
        request.params.task,
        version,
        actorOf(request),
      );
      return { task: taskView(task, await registry.progress(task)), from, optimizer };
    },
  );

  app.get(
    "/v1/tasks/:task/rounds",
    {
      schema: {
        summary: "Rounds of a task, newest first",
        tags,
        params: taskParams,
        querystring: RoundListQuery,
        response: { 200: RoundList },
      },
    },
    async ({ params, query: { number, ...asked } }) => {
      const task = await registry.task(params.task);
      if (number !== undefined) {
        const [round] = await store.rounds.list(task.name, { limit: 1, before: number + 1 });
        return { rounds: round?.number === number ? [roundView(round)] : [], next: null };
      }
      const { rows, next } = await LISTS.rounds(asked, (page) => store.rounds.list(task.name, page));
      return { rounds: rows.map(roundView), next };
    },
  );

  const roundOf = async (roundId: RoundId): Promise<RoundRecord> => {
    const round = await store.rounds.get(roundId);
    if (round !== undefined) return round;
    throw failure("http/not-found", `http: no round "${roundId}"`, { detail: { round: roundId } });
  };

  app.get(
    "/v1/rounds/:roundId",
    { schema: { summary: "One round", tags, params: roundParams, response: { 200: RoundView } } },
    async ({ params }) => roundView(await roundOf(params.roundId)),
  );

  app.get(
    "/v1/rounds/:roundId/refusals",
    {
      schema: {
        summary: "Updates of a round that did not count, with their senders and the reasons",
        tags,
        params: roundParams,
        querystring: RefusalListQuery,
        response: { 200: RefusalList },
      },
    },
    async ({ params, query }) => {
      const { id: roundId } = await roundOf(params.roundId);
      const { rows, next } = await LISTS.refusals(query, (page) => store.refusals.list({ roundId, ...page }));
      return { refusals: rows.map(refusalView), next };
    },
  );

  app.get(
    "/healthz",
    {
      config: { audience: "public" },
      schema: {
        summary: "Whether the coordinator and its database answer",
        tags: ["health"],
        response: { 200: Type.Object({ status: Type.Literal("ok") }) },
      },
    },
    async (_, reply) => {
      await store.settings.get("health");
      return reply.header("cache-control", "no-store").send({ status: "ok" as const });
    },
  );

  app.get(
    "/schemas/task.json",
    {
      config: { audience: "public" },
      schema: {
        summary: "The JSON Schema of a task",
        tags: ["documents"],
        produces: ["application/schema+json"],
      },
    },
    async (_, reply) => reply.type("application/schema+json").send(JSON.stringify(TASK_SCHEMA)),
  );
}

/** A body as bytes. @throws `http/payload-too-large` */
async function collect(body: Readable, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    length += chunk.byteLength;
    if (length > maxBytes)
      throw failure("http/payload-too-large", `http: a model of at most ${maxBytes} bytes is accepted`, {
        detail: { maxBytes },
      });
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
