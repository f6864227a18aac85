import type { DeviceId } from "@tributary/core";
import type { FleetRepository } from "../../../ports/device-repositories.ts";
import type { DeviceNews, FleetDeviceRecord } from "../../../ports/device-records.ts";
import { type Db, together } from "../rows.ts";
import { devicePage, matchingDevices } from "./fleet-queries.ts";

const HOUR_MS = 3_600_000;

export function fleetRepository(db: Db): FleetRepository {
  return {
    record: (news) =>
      together(db, async (tx) => {
        for (const each of news) await recordOne(tx, each);
      }),
    setTags: (deviceId, tags) =>
      together(db, async (tx) => {
        await tx.deleteFrom("deviceTags").where("deviceId", "=", deviceId).execute();
        for (const tag of tags) await tx.insertInto("deviceTags").values({ tag, deviceId }).execute();
      }),
    async list(filter, page) {
      return withDetails(db, await devicePage(db, filter, page).execute());
    },
    async count(filter) {
      const query = matchingDevices(db, filter).select((eb) => eb.fn.countAll<number>().as("count"));
      return Number((await query.executeTakeFirstOrThrow()).count);
    },
    async get(deviceId) {
      const found = await devicePage(db, { search: deviceId }, { limit: 1 }).execute();
      return (await withDetails(db, found))[0];
    },
    counts: (of) => countsOf(db, of),
    noteAdoption: (hour) =>
      together(db, async (tx) => {
        await tx.deleteFrom("adoption").where("hour", "=", hour).execute();
        await tx
          .insertInto("adoption")
          .columns(["model", "hour", "version", "population", "devices"])
          .expression((eb) =>
            eb
              .selectFrom("deviceVersions")
              .select((of) => [
                "model",
                of.val(hour).as("hour"),
                "version",
                "population",
                of.fn.countAll<number>().as("devices"),
              ])
              .groupBy(["model", "version", "population"]),
          )
          .execute();
      }),
    async hours({ since, population }) {
      let query = db
        .selectFrom("fleetHours")
        .select((eb) => [
          "hour",
          eb.fn.sum<number>("checkIns").as("checkIns"),
          eb.fn.sum<number>("devices").as("devices"),
        ])
        .where("hour", ">=", since);
      if (population !== undefined) query = query.where("population", "=", population);
      return query.groupBy("hour").orderBy("hour").execute();
    },
    async adoption(model, { since, population }) {
      let query = db
        .selectFrom("adoption")
        .select((eb) => ["hour", "version", eb.fn.sum<number>("devices").as("devices")])
        .where("model", "=", model)
        .where("hour", ">=", since);
      if (population !== undefined) query = query.where("population", "=", population);
      return query.groupBy(["hour", "version"]).orderBy("hour").orderBy("version").execute();
    },
    prune: ({ hour, seenBefore }) =>
      together(db, async (tx) => {
        await tx.deleteFrom("fleetHours").where("hour", "<", hour).execute();
        await tx.deleteFrom("adoption").where("hour", "<", hour).execute();
        await tx
          .deleteFrom("deviceVersions")
          .where("deviceId", "in", (eb) =>
            eb.selectFrom("devices").select("devices.deviceId").where("lastSeenAt", "<", seenBefore),
          )
          .execute();
      }),
  };
}

async function recordOne(tx: Db, { deviceId, at, checkIns, software, versions }: DeviceNews): Promise<void> {
  const before = await tx
    .selectFrom("devices")
    .select(["population", "lastSeenAt"])
    .where("deviceId", "=", deviceId)
    .where("state", "=", "active")
    .executeTakeFirst();
  // Nothing is kept of who was revoked or erased meanwhile.
  if (before === undefined) return;
  const { population, lastSeenAt } = before;
  await tx
    .updateTable("devices")
    .set({ lastSeenAt: Math.max(at, lastSeenAt ?? 0), ...(software === undefined ? {} : { software }) })
    .where("deviceId", "=", deviceId)
    .execute();
  const hour = Math.floor(at / HOUR_MS);
  const devices = lastSeenAt === null || lastSeenAt < hour * HOUR_MS ? 1 : 0;
  if (checkIns + devices > 0) {
    await tx
      .insertInto("fleetHours")
      .values({ hour, population, checkIns, devices })
      .onConflict((oc) =>
        oc.columns(["hour", "population"]).doUpdateSet((eb) => ({
          checkIns: eb("fleetHours.checkIns", "+", checkIns),
          devices: eb("fleetHours.devices", "+", devices),
        })),
      )
      .execute();
  }
  for (const { model, version, engine } of versions) {
    const row = { version, population, at };
    await tx
      .insertInto("deviceVersions")
      .values({ deviceId, model, ...row, engine: engine ?? null })
      .onConflict((oc) =>
        oc.columns(["deviceId", "model"]).doUpdateSet((eb) => ({
          ...row,
          // What an app does not let its devices tell of a new version, nobody guesses.
          engine:
            engine ??
            eb
              .case()
              .when("deviceVersions.version", "=", version)
              .then(eb.ref("deviceVersions.engine"))
              .else(null)
              .end(),
        })),
      )
      .execute();
  }
}

/** Two look-ups for a whole page. */
async function withDetails(
  db: Db,
  rows: readonly Omit<FleetDeviceRecord, "versions" | "tags">[],
): Promise<FleetDeviceRecord[]> {
  const ids = rows.map(({ deviceId }) => deviceId);
  if (ids.length === 0) return [];
  const versions = await db
    .selectFrom("deviceVersions")
    .select(["deviceId", "model", "version", "engine", "at"])
    .where("deviceId", "in", ids)
    .orderBy("model")
    .execute();
  const tags = await db
    .selectFrom("deviceTags")
    .selectAll()
    .where("deviceId", "in", ids)
    .orderBy("tag")
    .execute();
  const of = <Row extends { readonly deviceId: DeviceId }>(all: readonly Row[]): Map<DeviceId, Row[]> =>
    Map.groupBy(all, ({ deviceId }) => deviceId);
  const [versionsOf, tagsOf] = [of(versions), of(tags)];
  return rows.map((row) => ({
    ...row,
    versions: (versionsOf.get(row.deviceId) ?? []).map(({ deviceId: _deviceId, ...version }) => version),
    tags: (tagsOf.get(row.deviceId) ?? []).map(({ tag }) => tag),
  }));
}

async function countsOf(
  db: Db,
  { population, seenSince, limit }: Parameters<FleetRepository["counts"]>[0],
): ReturnType<FleetRepository["counts"]> {
  const ofPopulation = population === undefined ? {} : { population };
  const count = async (filter: Parameters<typeof matchingDevices>[1]): Promise<number> => {
    const query = matchingDevices(db, filter).select((eb) => eb.fn.countAll<number>().as("count"));
    return Number((await query.executeTakeFirstOrThrow()).count);
  };
  // Of those that were not seen for long they are forgotten day by day.
  let running = db.selectFrom("deviceVersions");
  if (population !== undefined) running = running.where("population", "=", population);
  let tags = db.selectFrom("deviceTags");
  if (population !== undefined) {
    tags = tags.where("deviceId", "in", (eb) =>
      eb.selectFrom("devices").select("devices.deviceId").where("devices.population", "=", population),
    );
  }
  const active = { ...ofPopulation, state: "active", seenSince } as const;
  return {
    known: await count(ofPopulation),
    active: await count(active),
    revoked:
      (await count({ ...ofPopulation, state: "revoked" })) +
      (await count({ ...ofPopulation, state: "readmitted" })),
    populations: await matchingDevices(db, active)
      .select((eb) => ["devices.population", eb.fn.countAll<number>().as("devices")])
      .groupBy("devices.population")
      .orderBy("devices", "desc")
      .limit(limit)
      .execute(),
    versions: await running
      .select((eb) => ["model", "version", eb.fn.countAll<number>().as("devices")])
      .groupBy(["model", "version"])
      .orderBy("devices", "desc")
      .limit(limit)
      .execute(),
    engines: await running
      .select((eb) => ["model", "engine", eb.fn.countAll<number>().as("devices")])
      .groupBy(["model", "engine"])
      .orderBy("devices", "desc")
      .limit(limit)
      .execute(),
    software: await matchingDevices(db, active)
      .select((eb) => ["devices.software", eb.fn.countAll<number>().as("devices")])
      .groupBy("devices.software")
      .orderBy("devices", "desc")
      .limit(limit)
      .execute(),
    tags: await tags
      .select((eb) => ["tag", eb.fn.countAll<number>().as("devices")])
      .groupBy("tag")
      .orderBy("devices", "desc")
      .limit(limit)
      .execute(),
  };
}
