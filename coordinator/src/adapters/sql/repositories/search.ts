import { SEARCH_KINDS, type SearchKind } from "@tributary/protocol";
import { type RawBuilder, sql } from "kysely";
import type { Found, SearchHit, SearchPlace, SearchRepository } from "../../../ports/search-repository.ts";
import type { Db } from "../rows.ts";
import { searchCondition } from "../search-condition.ts";

/** A kind's rows, the time each has in the search and what tells it from others of that time. */
const ROWS: Readonly<
  Record<
    SearchKind,
    {
      readonly table: RawBuilder<unknown>;
      readonly alias: string;
      readonly at: string;
      readonly key: RawBuilder<unknown>;
      readonly joins: RawBuilder<unknown>;
      readonly told: RawBuilder<unknown>;
    }
  >
> = {
  version: {
    table: sql`versions`,
    alias: "v",
    at: "createdAt",
    key: sql`v.model || '/' || printf('%010d', v.version)`,
    joins: sql`left join rounds as r on r.id = v.round_id left join tasks as t on t.name = r.task`,
    told: sql`v.model, t.name as task, v.version, v.round_id, r.number as round,
      case when v.round_id is null then 'published' else 'trained' end as state,
      json_extract(v.strategy, '$.name') as strategy, v.loss, v.accuracy, v.cohort, v.num_examples`,
  },
  round: {
    table: sql`rounds`,
    alias: "r",
    at: "startedAt",
    key: sql`r.id`,
    joins: sql`left join tasks as t on t.name = r.task`,
    told: sql`r.model, r.task, r.version, r.id as round_id, r.number as round, r.phase as state,
      json_extract(t.spec, '$.strategy.name') as strategy, r.loss, r.accuracy, r.cohort, r.num_examples`,
  },
  task: {
    table: sql`tasks`,
    alias: "t",
    at: "createdAt",
    key: sql`t.name`,
    joins: sql`left join rounds as last on last.id = (select id from rounds where task = t.name
      and phase = 'committed' and purpose = 'train' order by number desc limit 1)`,
    told: sql`t.model, t.name as task, last.version, null as round_id, null as round, t.state,
      json_extract(t.spec, '$.strategy.name') as strategy, last.loss, last.accuracy, last.cohort, last.num_examples`,
  },
};

export function searchRepository(db: Db): SearchRepository {
  return {
    async find({ kind, query, models, now, after, limit, scan }) {
      const { table, alias, at, key, joins, told } = ROWS[kind];
      const name = sql.ref(alias);
      const time = sql.ref(`${alias}.${at}`);
      const begins = beginning(kind, time, key, after);
      // Before rows are counted: where a page ends tells of no model that is not searched.
      const from =
        models === null ? begins : sql`${sql.ref(`${alias}.model`)} in (${sql.join(models)}) and ${begins}`;
      const order = sql`order by ${time} desc, ${key} desc`;
      const { rows } = await sql<SearchHit & { at: number; key: string }>`
        with scanned as (select ${name}.* from ${table} as ${name} where ${from} ${order} limit ${scan})
        select ${time} as at, ${key} as key, ${told} from scanned as ${name} ${joins}
        where ${searchCondition(kind, query, now)} ${order} limit ${limit}`.execute(db);
      const hits = rows.map((row) => ({ ...row, kind }));
      const last = hits.at(-1);
      if (hits.length === limit && last !== undefined)
        return { hits, until: { at: last.at, kind, key: last.key } };
      const { rows: ends } = await sql<{ at: number; key: string }>`
        select ${time} as at, ${key} as key from ${table} as ${name} where ${from} ${order}
        limit 1 offset ${scan - 1}`.execute(db);
      const end = ends[0];
      return {
        hits,
        until: end === undefined ? undefined : { at: end.at, kind, key: end.key },
      } satisfies Found;
    },
  };
}

/** Rows of a kind that come after a place. */
function beginning(
  kind: SearchKind,
  time: RawBuilder<unknown>,
  key: RawBuilder<unknown>,
  after: SearchPlace | undefined,
): RawBuilder<unknown> {
  if (after === undefined) return sql`1`;
  const [own, other] = [SEARCH_KINDS.indexOf(kind), SEARCH_KINDS.indexOf(after.kind)];
  if (own > other) return sql`${time} <= ${after.at}`;
  if (own < other) return sql`${time} < ${after.at}`;
  return sql`(${time} <= ${after.at} and (${time} < ${after.at} or ${key} < ${after.key}))`;
}
