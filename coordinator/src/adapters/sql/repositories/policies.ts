import { failure } from "@tributary/core";
import type { Selectable } from "kysely";
import type { PolicyDecisionRepository, PolicyRepository } from "../../../ports/alert-repositories.ts";
import type { PolicyDecisionRecord, PolicyRecord } from "../../../ports/alert-records.ts";
import { type Db, fromJson } from "../rows.ts";
import type { PoliciesTable, PolicyDecisionsTable } from "../schema.ts";

export function policyRepository(db: Db): PolicyRepository {
  return {
    list: async () => (await db.selectFrom("policies").selectAll().orderBy("name").execute()).map(toPolicy),
    async get(name) {
      const row = await db.selectFrom("policies").selectAll().where("name", "=", name).executeTakeFirst();
      return row && toPolicy(row);
    },
    async put({ policy, changedAt }) {
      const changes = { policy: JSON.stringify(policy), changedAt };
      await db
        .insertInto("policies")
        .values({ name: policy.name, ...changes })
        .onConflict((oc) => oc.column("name").doUpdateSet(changes))
        .execute();
    },
    async remove(name) {
      const { numDeletedRows } = await db
        .deleteFrom("policies")
        .where("name", "=", name)
        .executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },
  };
}

export function policyDecisionRepository(db: Db): PolicyDecisionRepository {
  return {
    async put(decision) {
      const row = {
        ...decision,
        object: JSON.stringify(decision.object),
        evidence: JSON.stringify(decision.evidence),
      };
      const { numInsertedOrUpdatedRows } = await db
        .insertInto("policyDecisions")
        .values(row)
        .onConflict((oc) =>
          oc.columns(["policy", "key"]).doUpdateSet(row).where("policyDecisions.outcome", "=", "failed"),
        )
        .executeTakeFirstOrThrow();
      if (numInsertedOrUpdatedRows === 1n) return;
      throw failure(
        "store/conflict",
        `store: policy "${decision.policy}" has decided on ${decision.key} already`,
      );
    },
    async get(policy, key) {
      const row = await db
        .selectFrom("policyDecisions")
        .selectAll()
        .where("policy", "=", policy)
        .where("key", "=", key)
        .executeTakeFirst();
      return row && toDecision(row);
    },
    async list({ policy, since, limit, before }) {
      let query = db.selectFrom("policyDecisions").selectAll();
      if (policy !== undefined) query = query.where("policy", "=", policy);
      if (since !== undefined) query = query.where("at", ">=", since);
      if (before !== undefined)
        query = query.where((eb) =>
          eb(eb.refTuple("at", "policy", "key"), "<", eb.tuple(before.at, before.policy, before.key)),
        );
      const ordered = query.orderBy("at", "desc").orderBy("policy", "desc").orderBy("key", "desc");
      return (await ordered.limit(limit).execute()).map(toDecision);
    },
    async prune(before) {
      await db.deleteFrom("policyDecisions").where("at", "<", before).execute();
    },
  };
}

function toPolicy({ policy, changedAt }: Selectable<PoliciesTable>): PolicyRecord {
  return { policy: fromJson(policy), changedAt };
}

function toDecision(row: Selectable<PolicyDecisionsTable>): PolicyDecisionRecord {
  const { policy, key, outcome, object, evidence, reason, rounds, at } = row;
  return {
    policy,
    key,
    outcome,
    object: fromJson(object),
    evidence: fromJson(evidence),
    reason,
    rounds,
    at,
  };
}
