import type { Client } from "openapi-fetch";
import { answered, json, type CallOptions } from "./calling.ts";
import type { paths } from "./generated/api.ts";
import { pageQuery, type PageOptions } from "./pages.ts";
import type {
  AliasView,
  ChannelHistoryPage,
  RetentionPreview,
  RetentionRule,
  RetentionView,
  RolloutChange,
  RolloutPage,
  RolloutSpecInput,
  RolloutView,
  SignedChannelView,
  VersionView,
  WithdrawnVersionView,
} from "./views.ts";

export interface ReleaseOptions extends CallOptions {
  /** Which channel is moved; one that is not there is made. @defaultValue "stable" */
  readonly channel?: string | undefined;
}

/** Which versions devices get, and which stay. */
export interface ReleasesApi {
  /** Moves a channel of a model to a version, which may be given by an alias. */
  releaseVersion(model: string, version: number | string, options?: ReleaseOptions): Promise<VersionView>;
  /** stable first, then by name. */
  channels(model: string, options?: CallOptions): Promise<readonly SignedChannelView[]>;
  /** Each version that a channel pointed to once, what it was last moved to first. */
  channelHistory(model: string, channel: string, options?: PageOptions): Promise<ChannelHistoryPage>;
  /** Devices on the channel stay on their version. Gives those that are left. */
  removeChannel(model: string, channel: string, options?: CallOptions): Promise<readonly SignedChannelView[]>;
  /** Versions that no device runs any more, newest first. */
  withdrawals(model: string, options?: CallOptions): Promise<readonly WithdrawnVersionView[]>;
  /** No device runs the version any more, and it is offered to none again. */
  withdrawVersion(
    model: string,
    version: number,
    reason: string,
    options?: CallOptions,
  ): Promise<WithdrawnVersionView>;
  /** What versions of a model are called, by name. */
  aliases(model: string, options?: CallOptions): Promise<readonly AliasView[]>;
  /** Gives a version a name, and takes it from the one that had it. */
  moveAlias(
    model: string,
    alias: string,
    version: number | string,
    options?: CallOptions,
  ): Promise<AliasView>;
  /** Gives the aliases that are left. */
  removeAlias(model: string, alias: string, options?: CallOptions): Promise<readonly AliasView[]>;
  /** Which versions of a model can be downloaded, and why they stay. */
  retention(model: string, options?: CallOptions): Promise<RetentionView>;
  /** What another rule would take out of the release, and whose files it would delete. */
  previewRetention(model: string, rule: RetentionRule, options?: CallOptions): Promise<RetentionPreview>;
  /** Gives a model another rule: what does not stay by it leaves the release at once. */
  setRetention(model: string, rule: RetentionRule, options?: CallOptions): Promise<RetentionView>;
  /** Newest first. */
  rollouts(model: string, options?: PageOptions): Promise<RolloutPage>;
  rollout(model: string, rollout: string, options?: CallOptions): Promise<RolloutView>;
  startRollout(model: string, spec: RolloutSpecInput, options?: CallOptions): Promise<RolloutView>;
  /** Pauses it, lets it go on, ends it, takes it back, or releases one of its arms. */
  changeRollout(
    model: string,
    rollout: string,
    change: RolloutChange,
    options?: CallOptions,
  ): Promise<RolloutView>;
}

/** As openapi-fetch takes it: what has a default is not optional, and lists are not readonly. */
type RolloutBody = paths["/v1/models/{model}/rollouts"]["post"]["requestBody"]["content"]["application/json"];

export function releasesApi(http: Client<paths>): ReleasesApi {
  return {
    releaseVersion: (model, version, { channel = "stable", ...call } = {}) =>
      answered(`POST /v1/models/${model}/release`, call, () =>
        http.POST("/v1/models/{model}/release", {
          params: { path: { model } },
          body: { version, channel },
          ...json(call),
        }),
      ),
    channels: async (model, call) =>
      (
        await answered(`GET /v1/models/${model}/channels`, call, () =>
          http.GET("/v1/models/{model}/channels", { params: { path: { model } }, ...json(call) }),
        )
      ).channels,
    channelHistory: (model, channel, options = {}) =>
      answered(`GET /v1/models/${model}/channels/${channel}/history`, options, () =>
        http.GET("/v1/models/{model}/channels/{channel}/history", {
          params: { path: { model, channel }, query: pageQuery(options, 100) },
          ...json(options),
        }),
      ),
    removeChannel: async (model, channel, call) =>
      (
        await answered(`DELETE /v1/models/${model}/channels/${channel}`, call, () =>
          http.DELETE("/v1/models/{model}/channels/{channel}", {
            params: { path: { model, channel } },
            ...json(call),
          }),
        )
      ).channels,
    withdrawals: async (model, call) =>
      (
        await answered(`GET /v1/models/${model}/withdrawals`, call, () =>
          http.GET("/v1/models/{model}/withdrawals", { params: { path: { model } }, ...json(call) }),
        )
      ).withdrawals,
    withdrawVersion: (model, version, reason, call) =>
      answered(`POST /v1/models/${model}/versions/${version}/withdrawal`, call, () =>
        http.POST("/v1/models/{model}/versions/{version}/withdrawal", {
          params: { path: { model, version } },
          body: { reason },
          ...json(call),
        }),
      ),
    aliases: async (model, call) =>
      (
        await answered(`GET /v1/models/${model}/aliases`, call, () =>
          http.GET("/v1/models/{model}/aliases", { params: { path: { model } }, ...json(call) }),
        )
      ).aliases,
    moveAlias: (model, alias, version, call) =>
      answered(`PUT /v1/models/${model}/aliases/${alias}`, call, () =>
        http.PUT("/v1/models/{model}/aliases/{alias}", {
          params: { path: { model, alias } },
          body: { version },
          ...json(call),
        }),
      ),
    removeAlias: async (model, alias, call) =>
      (
        await answered(`DELETE /v1/models/${model}/aliases/${alias}`, call, () =>
          http.DELETE("/v1/models/{model}/aliases/{alias}", {
            params: { path: { model, alias } },
            ...json(call),
          }),
        )
      ).aliases,
    retention: (model, call) =>
      answered(`GET /v1/models/${model}/retention`, call, () =>
        http.GET("/v1/models/{model}/retention", { params: { path: { model } }, ...json(call) }),
      ),
    previewRetention: (model, rule, call) =>
      answered(`GET /v1/models/${model}/retention/preview`, call, () =>
        http.GET("/v1/models/{model}/retention/preview", {
          params: { path: { model }, query: rule },
          ...json(call),
        }),
      ),
    setRetention: (model, rule, call) =>
      answered(`PUT /v1/models/${model}/retention`, call, () =>
        http.PUT("/v1/models/{model}/retention", {
          params: { path: { model } },
          body: rule,
          ...json(call),
        }),
      ),
    rollouts: (model, options = {}) =>
      answered(`GET /v1/models/${model}/rollouts`, options, () =>
        http.GET("/v1/models/{model}/rollouts", {
          params: { path: { model }, query: pageQuery(options, 100) },
          ...json(options),
        }),
      ),
    rollout: (model, rollout, call) =>
      answered(`GET /v1/models/${model}/rollouts/${rollout}`, call, () =>
        http.GET("/v1/models/{model}/rollouts/{rollout}", {
          params: { path: { model, rollout } },
          ...json(call),
        }),
      ),
    startRollout: (model, spec, call) =>
      answered(`POST /v1/models/${model}/rollouts`, call, () =>
        // The document describes the filled-in rollout; the coordinator fills in what is left out.
        http.POST("/v1/models/{model}/rollouts", {
          params: { path: { model } },
          body: spec as RolloutBody,
          ...json(call),
        }),
      ),
    changeRollout: (model, rollout, change, call) =>
      answered(`POST /v1/models/${model}/rollouts/${rollout}/state`, call, () =>
        http.POST("/v1/models/{model}/rollouts/{rollout}/state", {
          params: { path: { model, rollout } },
          body: change,
          ...json(call),
        }),
      ),
  };
}
