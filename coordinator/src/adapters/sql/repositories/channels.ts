import { CHAMPION, STABLE_CHANNEL } from "@tributary/protocol";
import type { ChannelRepository } from "../../../ports/model-repositories.ts";
import type { ChannelRecord } from "../../../ports/model-records.ts";
import { constrained, requireRow } from "../constraint.ts";
import { type Db, together } from "../rows.ts";
import { putAlias } from "./aliases.ts";

export function channelRepository(db: Db): ChannelRepository {
  return {
    get: (model, name) =>
      db
        .selectFrom("channels")
        .selectAll()
        .where("model", "=", model)
        .where("name", "=", name)
        .executeTakeFirst(),
    async list(model) {
      const rows = await db
        .selectFrom("channels")
        .selectAll()
        .where("model", "=", model)
        .orderBy("name")
        .execute();
      const isStable = ({ name }: ChannelRecord): boolean => name === STABLE_CHANNEL;
      return [...rows.filter(isStable), ...rows.filter((row) => !isStable(row))];
    },
    move: (channel) =>
      together(db, async (tx) => {
        const { model, version, name, releasedAt } = channel;
        const what = `version ${version} of "${model}"`;
        const row = await tx
          .selectFrom("versions")
          .select("version")
          .where("model", "=", model)
          .where("version", "=", version)
          .executeTakeFirst();
        requireRow(what, row === undefined ? 0n : 1n);
        if (name === STABLE_CHANNEL)
          await tx
            .updateTable("versions")
            .set({ releasedAt })
            .where("model", "=", model)
            .where("version", "=", version)
            .execute();
        await constrained(`channel "${name}" of "${model}"`, () => putChannel(tx, channel));
      }),
    async remove(model, name) {
      const { numDeletedRows } = await db
        .deleteFrom("channels")
        .where("model", "=", model)
        .where("name", "=", name)
        .executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },
    async history(model, { name, limit = 1000, before } = {}) {
      let query = db.selectFrom("channelHistory").selectAll().where("model", "=", model);
      if (name !== undefined) query = query.where("name", "=", name);
      if (before !== undefined)
        query = query.where((eb) =>
          eb(eb.refTuple("releasedAt", "version"), "<", eb.tuple(before.releasedAt, before.version)),
        );
      return query
        .orderBy("releasedAt", "desc")
        .orderBy("version", "desc")
        .orderBy("name")
        .limit(limit)
        .execute();
    },
  };
}

/** The row of a channel, its history and, of stable, the alias `champion`; the version is there. */
export async function putChannel(tx: Db, { model, name, version, releasedAt }: ChannelRecord): Promise<void> {
  const changes = { version, releasedAt };
  await tx
    .insertInto("channels")
    .values({ model, name, ...changes })
    .onConflict((oc) => oc.columns(["model", "name"]).doUpdateSet(changes))
    .execute();
  await tx
    .insertInto("channelHistory")
    .values({ model, name, ...changes })
    .onConflict((oc) => oc.columns(["model", "name", "version"]).doUpdateSet({ releasedAt }))
    .execute();
  if (name === STABLE_CHANNEL) await putAlias(tx, { model, name: CHAMPION, version, movedAt: releasedAt });
}
