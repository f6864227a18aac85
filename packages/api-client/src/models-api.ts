import type { Client } from "openapi-fetch";
import { answered, json, octets, type CallOptions } from "./calling.ts";
import type { paths } from "./generated/api.ts";
import { pageQuery, type PageOptions } from "./pages.ts";
import type {
  BlobCreated,
  CardNotes,
  CardNotesView,
  ModelCard,
  ModelView,
  ReproductionView,
  VersionFiles,
  VersionHealthView,
  VersionPage,
  VersionView,
} from "./views.ts";

export interface PublishOptions extends CallOptions {
  /** False: no channel points to it, so that it can be rolled out in steps. @defaultValue true */
  readonly release?: boolean | undefined;
  /** Least version of the runtime that may run it. */
  readonly runtime?: string | undefined;
  /** SHA-256 of the manifest that the version was exported with: it is in the audit log. */
  readonly importedFrom?: string | undefined;
}

/** Models, their versions, and what is known of these. */
export interface ModelsApi {
  models(options?: CallOptions): Promise<readonly ModelView[]>;
  model(name: string, options?: CallOptions): Promise<ModelView>;
  /** Newest first. */
  versions(model: string, options?: PageOptions): Promise<VersionPage>;
  /** One of them, by its number or what it is called. */
  version(model: string, version: number | string, options?: CallOptions): Promise<VersionView>;
  /** What is known of a version, for whoever is to use it. */
  card(model: string, version: number | string, options?: CallOptions): Promise<ModelCard>;
  /** The same as Markdown. */
  cardMarkdown(model: string, version: number | string, options?: CallOptions): Promise<string>;
  cardNotes(model: string, options?: CallOptions): Promise<CardNotesView>;
  /** Writes on the cards of a model, in the place of what was there. */
  setCardNotes(model: string, notes: Partial<CardNotes>, options?: CallOptions): Promise<CardNotesView>;
  /** Everything that a version consists of, and how it came from its parent, by digest. */
  versionFiles(model: string, version: number | string, options?: CallOptions): Promise<VersionFiles>;
  /** Takes the step that made a version again, and compares. */
  reproduce(model: string, version: number | string, options?: CallOptions): Promise<ReproductionView>;
  /** How its versions fare on single devices, newest first. */
  health(model: string, options?: CallOptions): Promise<readonly VersionHealthView[]>;
  /** Publishes an ONNX file as a new model. */
  publishModel(name: string, onnx: Uint8Array, options?: PublishOptions): Promise<VersionView>;
  /** Uploads bytes, such as a held-out data set; they are named by their digest from then on. */
  uploadBlob(bytes: Uint8Array, options?: CallOptions): Promise<BlobCreated>;
}

/** As openapi-fetch takes it: what has a default is not optional, and lists are not readonly. */
type CardNotesBody =
  paths["/v1/models/{model}/card-notes"]["put"]["requestBody"]["content"]["application/json"];

export function modelsApi(http: Client<paths>): ModelsApi {
  return {
    models: async (call) =>
      (await answered("GET /v1/models", call, () => http.GET("/v1/models", { ...json(call) }))).models,
    model: (model, call) =>
      answered(`GET /v1/models/${model}`, call, () =>
        http.GET("/v1/models/{model}", { params: { path: { model } }, ...json(call) }),
      ),
    versions: (model, options = {}) =>
      answered(`GET /v1/models/${model}/versions`, options, () =>
        http.GET("/v1/models/{model}/versions", {
          params: { path: { model }, query: pageQuery(options, 500) },
          ...json(options),
        }),
      ),
    version: (model, version, call) =>
      answered(`GET /v1/models/${model}/versions/${version}`, call, () =>
        http.GET("/v1/models/{model}/versions/{version}", {
          params: { path: { model, version: String(version) } },
          ...json(call),
        }),
      ),
    card: (model, version, call) =>
      answered(`GET /v1/models/${model}/versions/${version}/card`, call, () =>
        http.GET("/v1/models/{model}/versions/{version}/card", {
          params: { path: { model, version: String(version) } },
          ...json(call),
        }),
      ),
    cardMarkdown: async (model, version, call) => {
      const { text } = await answered(
        `GET /v1/models/${model}/versions/${version}/card.md`,
        call,
        async () => {
          const { data, ...result } = await http.GET("/v1/models/{model}/versions/{version}/card.md", {
            params: { path: { model, version: String(version) } },
            parseAs: "text",
            signal: call?.signal ?? null,
          });
          return { ...result, ...(data === undefined ? {} : { data: { text: data } }) };
        },
      );
      return text;
    },
    cardNotes: (model, call) =>
      answered(`GET /v1/models/${model}/card-notes`, call, () =>
        http.GET("/v1/models/{model}/card-notes", { params: { path: { model } }, ...json(call) }),
      ),
    setCardNotes: (model, notes, call) =>
      answered(`PUT /v1/models/${model}/card-notes`, call, () =>
        http.PUT("/v1/models/{model}/card-notes", {
          params: { path: { model } },
          // What is left out is empty.
          body: notes as CardNotesBody,
          ...json(call),
        }),
      ),
    versionFiles: (model, version, call) =>
      answered(`GET /v1/models/${model}/versions/${version}/files`, call, () =>
        http.GET("/v1/models/{model}/versions/{version}/files", {
          params: { path: { model, version: String(version) } },
          ...json(call),
        }),
      ),
    reproduce: (model, version, call) =>
      answered(`POST /v1/models/${model}/versions/${version}/reproduction`, call, () =>
        http.POST("/v1/models/{model}/versions/{version}/reproduction", {
          params: { path: { model, version: String(version) } },
          ...json(call),
        }),
      ),
    health: async (model, call) =>
      (
        await answered(`GET /v1/models/${model}/health`, call, () =>
          http.GET("/v1/models/{model}/health", { params: { path: { model } }, ...json(call) }),
        )
      ).versions,
    publishModel: (model, onnx, { release, runtime, importedFrom, ...call } = {}) => {
      const query = {
        ...(release === undefined ? {} : { release }),
        ...(runtime === undefined ? {} : { runtime }),
        ...(importedFrom === undefined ? {} : { importedFrom }),
      };
      return answered(`POST /v1/models/${model}/versions`, call, () =>
        http.POST("/v1/models/{model}/versions", {
          params: { path: { model }, query },
          ...octets(onnx, call),
        }),
      );
    },
    uploadBlob: (bytes, call) =>
      answered("POST /v1/blobs", call, () => http.POST("/v1/blobs", { ...octets(bytes, call) })),
  };
}
