import type { DeviceId } from "@tributary/core";
import { sql, type SelectQueryBuilder } from "kysely";
import type { FleetFilter } from "../../../ports/device-records.ts";
import type { Db } from "../rows.ts";
import type { Database } from "../schema.ts";

// What is asked of a fleet of any size: each query goes along an index, and reads no more of it than it has to.

/** No digit of an id comes after it. */
const AFTER_HEX = "g";

/** Devices of which all that is given holds; what of them is read, and in which order, is the caller's. */
export function matchingDevices(db: Db, filter: FleetFilter): DeviceQuery {
  const { population, state, tag, software, model, seenSince, seenBefore, search } = filter;
  let query: DeviceQuery = db.selectFrom("devices");
  if (population !== undefined) query = query.where("devices.population", "=", population);
  if (state !== undefined) query = query.where("devices.state", "=", state);
  if (software !== undefined) query = query.where("devices.software", "=", software);
  if (seenSince !== undefined) query = query.where("devices.lastSeenAt", ">=", seenSince);
  if (seenBefore !== undefined) {
    query = query.where((eb) =>
      eb.or([eb("devices.lastSeenAt", "<", seenBefore), eb("devices.lastSeenAt", "is", null)]),
    );
  }
  if (search !== undefined) {
    query = query
      .where("devices.deviceId", ">=", search as DeviceId)
      .where("devices.deviceId", "<", `${search}${AFTER_HEX}` as DeviceId);
  }
  if (tag !== undefined) query = tagged(query, tag);
  if (model !== undefined) query = running(query, filter);
  return query;
}

type DeviceQuery = SelectQueryBuilder<Database, "devices", object>;

/** The columns of a joined table are not read: to the caller it stays a query of devices. */
function tagged(query: DeviceQuery, tag: string): DeviceQuery {
  return query
    .innerJoin("deviceTags", "deviceTags.deviceId", "devices.deviceId")
    .where("deviceTags.tag", "=", tag) as unknown as DeviceQuery;
}

function running(query: DeviceQuery, { model, version, engine }: FleetFilter): DeviceQuery {
  let joined = query
    .innerJoin("deviceVersions", "deviceVersions.deviceId", "devices.deviceId")
    .where("deviceVersions.model", "=", model!);
  if (version !== undefined) joined = joined.where("deviceVersions.version", "=", version);
  if (engine !== undefined) joined = joined.where("deviceVersions.engine", "=", engine);
  return joined as unknown as DeviceQuery;
}

/** Whose index the page goes along. */
function leadOf({ tag, model }: FleetFilter): string {
  if (tag !== undefined) return "deviceTags.deviceId";
  return model === undefined ? "devices.deviceId" : "deviceVersions.deviceId";
}

/** One page of them, by id. */
export function devicePage(
  db: Db,
  filter: FleetFilter,
  { limit, after }: { readonly limit: number; readonly after?: DeviceId },
) {
  let query = matchingDevices(db, filter).select([
    "devices.deviceId",
    "devices.population",
    "devices.state",
    "devices.enrolledAt",
    "devices.certificateSerial",
    "devices.certificateExpiresAt",
    "devices.lastSeenAt",
    "devices.software",
    "devices.refusedBefore",
  ]);
  const lead = sql.ref<DeviceId>(leadOf(filter));
  if (after !== undefined) query = query.where(lead, ">", after);
  return query.orderBy(lead).limit(limit);
}
