import Type, { type Static } from "typebox";
import { VersionOrAlias } from "./aliases.ts";
import { pageOf, pageQuery } from "./page.ts";
import {
  CHANNEL_PATTERN,
  ChannelSchema,
  ModelNameSchema,
  ModelVersionSchema,
  nullable,
  readonlyArray,
  TimestampSchema,
} from "./schema.ts";

/** The channel that every model has from its first version on: what a device gets that names none. */
export const STABLE_CHANNEL = "stable";
/** Most channels of one model: each has a signed manifest, which every device's metadata names. */
export const MAX_CHANNELS = 32;

/** A name that devices ask a model by, and the version that it points to. */
export const ChannelView = Type.Object({
  name: ChannelSchema,
  version: ModelVersionSchema,
  /** When it was last moved. */
  releasedAt: TimestampSchema,
});
export type ChannelView = Static<typeof ChannelView>;

/** A channel, and whether devices get what it points to. */
export const SignedChannelView = Type.Object({
  ...ChannelView.properties,
  signed: Type.Boolean({
    description:
      "Whether the signed release says so; false: devices stay on what it pointed to before, until keys that lie elsewhere have signed (`GET /v1/keys`)",
  }),
});
export type SignedChannelView = Static<typeof SignedChannelView>;

/** `GET /v1/models/:model/channels`: stable first, then by name. */
export const ChannelList = Type.Object({ channels: readonlyArray(SignedChannelView) });
export type ChannelList = Static<typeof ChannelList>;

/** Query of `GET /v1/models/:model/channels/:channel/history` */
export const ChannelHistoryQuery = Type.Object(pageQuery(500, 100));

/** `GET /v1/models/:model/channels/:channel/history`: each version once, when the channel was last moved there; the newest first. */
export const ChannelHistory = pageOf({ history: readonlyArray(ChannelView) });
export type ChannelHistory = Static<typeof ChannelHistory>;

/** A channel other than stable was moved, made or removed; the events of versions tell of stable. */
export const ChannelChange = Type.Object({
  model: ModelNameSchema,
  name: ChannelSchema,
  version: nullable(ModelVersionSchema, { description: "Null: the channel was removed" }),
  at: TimestampSchema,
});
export type ChannelChange = Static<typeof ChannelChange>;

/** `POST /v1/models/:model/release` */
export const ReleaseRequest = Type.Object(
  {
    version: VersionOrAlias,
    channel: Type.String({
      pattern: CHANNEL_PATTERN,
      default: STABLE_CHANNEL,
      description: "Which channel is moved; one that is not there yet is made",
    }),
  },
  { additionalProperties: false },
);
export type ReleaseRequest = Static<typeof ReleaseRequest>;
