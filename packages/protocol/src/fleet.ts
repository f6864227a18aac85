import Type, { type Static } from "typebox";
import { pageOf, pageQuery } from "./page.ts";
import {
  DeviceIdSchema,
  ModelNameSchema,
  ModelVersionSchema,
  nullable,
  PopulationNameSchema,
  readonlyArray,
  textEnum,
  TimestampSchema,
  UtcTimestampSchema,
} from "./schema.ts";

// The fleet over HTTP, for operators: what is known of devices, and nothing that they were not asked for.

const Count = Type.Integer({ minimum: 0 });

/** A word that the app's backend put into a device's enrolment token. */
export const DeviceTagSchema = Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$" });
/** Most tags of one device. */
export const MAX_DEVICE_TAGS = 8;

export const DEVICE_STATES = ["active", "revoked", "readmitted"] as const;
/** active; revoked: refused everywhere; readmitted: refused as before, and it may enrol again. */
export type DeviceState = (typeof DEVICE_STATES)[number];
const DeviceStateSchema = textEnum(DEVICE_STATES, {
  description: "revoked: refused everywhere; readmitted: the same, but it may enrol again",
});

/** A version on one device. */
const DeviceVersionView = Type.Object({
  model: ModelNameSchema,
  version: ModelVersionSchema,
  /** Null where its app does not let it tell. */
  engine: nullable(Type.String()),
  /** When it told so last. */
  at: TimestampSchema,
});

export const DeviceView = Type.Object({
  deviceId: DeviceIdSchema,
  population: PopulationNameSchema,
  state: DeviceStateSchema,
  connected: Type.Boolean(),
  enrolledAt: TimestampSchema,
  /** Null: it enrolled, and did not connect since. */
  lastSeenAt: nullable(TimestampSchema),
  certificateExpiresAt: TimestampSchema,
  /** Name and version of its software, as it says; null before it connected. */
  software: nullable(Type.String()),
  versions: readonlyArray(DeviceVersionView),
  tags: readonlyArray(DeviceTagSchema),
});
export type DeviceView = Static<typeof DeviceView>;

/** Query of `GET /v1/devices`: devices of which all that is given holds, by id. */
export const DeviceListQuery = Type.Object({
  population: Type.Optional(PopulationNameSchema),
  state: Type.Optional(DeviceStateSchema),
  tag: Type.Optional(DeviceTagSchema),
  software: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  model: Type.Optional(Type.Unsafe<string>({ ...ModelNameSchema, description: "Devices that run it" })),
  version: Type.Optional(Type.Integer({ minimum: 1, maximum: 4_294_967_295, description: "Of the model" })),
  engine: Type.Optional(Type.String({ pattern: "^[a-z][a-z0-9-]{0,31}$", description: "Of the model" })),
  seenSince: Type.Optional(UtcTimestampSchema),
  /** Not including it; devices that never connected are among them. */
  seenBefore: Type.Optional(UtcTimestampSchema),
  /** How its id begins. */
  search: Type.Optional(Type.String({ pattern: "^[0-9a-f]{1,32}$" })),
  ...pageQuery(500, 100),
});
export type DeviceListQuery = Static<typeof DeviceListQuery>;

/** `GET /v1/devices` */
export const DeviceList = pageOf({
  devices: readonlyArray(DeviceView),
  /** Of all pages. */
  total: Count,
});
export type DeviceList = Static<typeof DeviceList>;

/** An update of a device that did not count. */
const DeviceRefusalView = Type.Object({
  round: Type.String(),
  code: Type.String(),
  at: TimestampSchema,
});

/** `GET /v1/devices/:device` */
export const DeviceDetailView = Type.Object({
  ...DeviceView.properties,
  /** Its newest, and how many there are. */
  refusals: Type.Object({ total: Count, newest: readonlyArray(DeviceRefusalView) }),
  /** Its name in the audit log; null where it is in none of its records. */
  auditName: nullable(DeviceIdSchema),
});
export type DeviceDetailView = Static<typeof DeviceDetailView>;

/** `POST /v1/devices/:device/revocation` */
export const DeviceRevocation = Type.Object(
  { reason: Type.String({ minLength: 1, maxLength: 500, description: "For the audit log" }) },
  { additionalProperties: false },
);
export type DeviceRevocation = Static<typeof DeviceRevocation>;

/** Longest list of one kind in `FleetView`. */
export const MAX_FLEET_GROUPS = 100;

/** Query of `GET /v1/fleet` */
export const FleetQuery = Type.Object({ population: Type.Optional(PopulationNameSchema) });

/** `GET /v1/fleet`: devices that were heard of within 30 days, counted. The largest groups come first, at most 100 of each kind. */
export const FleetView = Type.Object({
  /** `known` also has those that were not heard of for longer. */
  devices: Type.Object({ known: Count, active: Count, connected: Count, revoked: Count }),
  populations: readonlyArray(Type.Object({ population: PopulationNameSchema, devices: Count })),
  versions: readonlyArray(
    Type.Object({ model: ModelNameSchema, version: ModelVersionSchema, devices: Count }),
  ),
  /** `engine` is null for devices whose apps do not let them tell. */
  engines: readonlyArray(
    Type.Object({ model: ModelNameSchema, engine: nullable(Type.String()), devices: Count }),
  ),
  software: readonlyArray(Type.Object({ software: nullable(Type.String()), devices: Count })),
  tags: readonlyArray(Type.Object({ tag: DeviceTagSchema, devices: Count })),
});
export type FleetView = Static<typeof FleetView>;

/** Hours that are kept of what a fleet was like: 90 days. */
export const FLEET_HOURS_KEPT = 2_160;
/** Versions with a line of their own in `FleetHistory`. */
export const MAX_ADOPTION_LINES = 10;

/** Query of `GET /v1/fleet/history` */
export const FleetHistoryQuery = Type.Object({
  model: Type.Optional(
    Type.Unsafe<string>({ ...ModelNameSchema, description: "Whose versions; without it check-ins alone" }),
  ),
  population: Type.Optional(PopulationNameSchema),
  hours: Type.Integer({ minimum: 1, maximum: FLEET_HOURS_KEPT, default: 168 }),
});
export type FleetHistoryQuery = Static<typeof FleetHistoryQuery>;

/** `GET /v1/fleet/history`: at most some 240 points, oldest first. An hour in which the coordinator did not run has none. */
export const FleetHistory = Type.Object({
  /** Hours that one point stands for. */
  stepHours: Type.Integer({ minimum: 1 }),
  checkIns: readonlyArray(
    Type.Object({
      at: TimestampSchema,
      /** Connections of devices. */
      checkIns: Count,
      /** Different devices that were heard of in an hour: in the busiest of the step. */
      devices: Count,
    }),
  ),
  /** Of the versions that ran on most devices, by number; the others together. */
  versions: readonlyArray(ModelVersionSchema),
  adoption: readonlyArray(
    Type.Object({
      at: TimestampSchema,
      /** In the order of `versions`: devices that ran each at the end of the step. */
      devices: readonlyArray(Count),
      others: Count,
    }),
  ),
});
export type FleetHistory = Static<typeof FleetHistory>;
