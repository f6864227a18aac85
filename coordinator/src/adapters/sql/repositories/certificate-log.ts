import { failure, type Digest } from "@tributary/core";
import type { Selectable } from "kysely";
import type { CertificateLogRepository } from "../../../ports/release-repositories.ts";
import type { LogEntryRecord, LogNodeRecord } from "../../../ports/device-records.ts";
import { constrained } from "../constraint.ts";
import { type Db, ownBytes, together } from "../rows.ts";
import type { CertificateLogTable } from "../schema.ts";

/** Values in one `in (...)`. */
const VALUES_AT_A_TIME = 500;

export function certificateLogRepository(db: Db): CertificateLogRepository {
  return {
    size: () => sizeOf(db),
    async append({ index, ...entry }, nodes) {
      await constrained(`certificate ${index} of the log`, () =>
        together(db, async (tx) => {
          const next = await sizeOf(tx);
          if (index !== next) {
            throw failure(
              "store/conflict",
              `store: the next certificate of the log is ${next}, got ${index}`,
            );
          }
          await tx
            .insertInto("certificateLog")
            .values({ entryIndex: index, ...entry })
            .execute();
          await tx
            .insertInto("certificateLogNodes")
            .values(nodes.map(({ level, index: nodeIndex, hash }) => ({ level, nodeIndex, hash })))
            .execute();
        }),
      );
    },
    async indicesOf(leafHashes) {
      const found = new Map<Digest, number>();
      for (const some of parts(leafHashes)) {
        const rows = await db
          .selectFrom("certificateLog")
          .select(["leafHash", "entryIndex"])
          .where("leafHash", "in", some)
          .execute();
        for (const row of rows) found.set(row.leafHash, row.entryIndex);
      }
      return found;
    },
    async newestOf(deviceId) {
      const row = await db
        .selectFrom("certificateLog")
        .selectAll()
        .where("deviceId", "=", deviceId)
        .orderBy("entryIndex", "desc")
        .limit(1)
        .executeTakeFirst();
      return row && toEntry(row);
    },
    async entries(start, limit) {
      const rows = await db
        .selectFrom("certificateLog")
        .selectAll()
        .where("entryIndex", ">=", start)
        .orderBy("entryIndex")
        .limit(limit)
        .execute();
      return rows.map(toEntry);
    },
    async nodes(wanted) {
      const hashes = new Map<string, Uint8Array<ArrayBuffer>>();
      for (const [level, indices] of byLevel(wanted)) {
        for (const some of parts(indices)) {
          const rows = await db
            .selectFrom("certificateLogNodes")
            .select(["nodeIndex", "hash"])
            .where("level", "=", level)
            .where("nodeIndex", "in", some)
            .execute();
          for (const row of rows) hashes.set(`${level} ${row.nodeIndex}`, ownBytes(row.hash));
        }
      }
      return wanted.map(({ level, index }) => {
        const hash = hashes.get(`${level} ${index}`);
        if (hash !== undefined) return hash;
        throw failure(
          "store/corrupt",
          `store: the certificate log lacks the hash of subtree ${index} of level ${level}`,
        );
      });
    },
  };
}

async function sizeOf(db: Db): Promise<number> {
  const { last } = await db
    .selectFrom("certificateLog")
    .select((eb) => eb.fn.max("entryIndex").as("last"))
    .executeTakeFirstOrThrow();
  return last === null ? 0 : Number(last) + 1;
}

function byLevel(wanted: readonly Pick<LogNodeRecord, "level" | "index">[]): Map<number, number[]> {
  const levels = new Map<number, number[]>();
  for (const { level, index } of wanted) {
    const indices = levels.get(level);
    if (indices === undefined) levels.set(level, [index]);
    else indices.push(index);
  }
  return levels;
}

function* parts<T>(values: readonly T[]): IterableIterator<T[]> {
  for (let at = 0; at < values.length; at += VALUES_AT_A_TIME) yield values.slice(at, at + VALUES_AT_A_TIME);
}

function toEntry({ entryIndex, certificate, ...row }: Selectable<CertificateLogTable>): LogEntryRecord {
  return { index: entryIndex, ...row, certificate: ownBytes(certificate) };
}
