import { failure, toFailure, TributaryError, type Env, type ModelName, type Timer } from "@tributary/core";
import {
  parsePolicy,
  promotionRollout,
  STABLE_CHANNEL,
  type AuditActor,
  type Policy,
  type PolicyDecisionList,
  type PolicyDecisionQuery,
  type PolicyDecisionView,
  type PolicyView,
  type Promote,
  type TrainOnDrift,
} from "@tributary/protocol";
import type { MeasuredDrift } from "../alerts/watch/drift.ts";
import type { SubjectScope } from "../access/subject-scope.ts";
import { LISTS } from "../pages/lists.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { Bus, Subscription } from "../ports/bus.ts";
import type { MetadataRepositories, MetadataStore } from "../ports/metadata-store.ts";
import type { PolicyDecisionRecord } from "../ports/alert-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import { driftReference } from "../registry/drift-reference.ts";
import { driftViews } from "../registry/drift-view.ts";
import type { AlsoStored, Registry } from "../registry/registry.ts";
import { timestamp, optionalTimestamp } from "../registry/views.ts";
import { withdrawnAncestor } from "../rollouts/barred-versions.ts";
import type { Rollouts } from "../rollouts/rollouts.ts";
import { SerialQueue } from "../rounds/serial-queue.ts";
import { requireKnownSubjects } from "./known-subjects.ts";
import { policyDecided, policyRemoved, policySet } from "./policy-records.ts";
import { isOfPolicy, requirePolicy, requireSeen, seesDecision, seesPolicy } from "./policy-scope.ts";
import { allowanceOf, proposePromotion, proposeTraining, type Proposal } from "./proposal.ts";

export const POLICY_LOOK_MS = 60_000;
export const POLICY_EVENT_LOOK_MS = 2_000;
export const MAX_POLICIES = 100;
/** What could not be done is tried again so much later. */
export const POLICY_RETRY_MS = 10 * 60_000;
const DECISIONS_KEPT_MS = 400 * 86_400_000;
/** Where what was read first is not enough: for whoever sees few of them, a page looks through many. */
const FURTHER_READ = 500;
/** Versions among which the newest good one is looked for. */
const NEWEST_VERSIONS = 20;

export interface PoliciesContext {
  readonly env: Env;
  readonly store: MetadataStore;
  readonly blobs: Pick<BlobStore, "bytes">;
  readonly bus: Pick<Bus, "subscribe">;
  readonly registry: Pick<Registry, "changeTask" | "release" | "moveAlias">;
  readonly rollouts: Pick<Rollouts, "start">;
}

/** What the coordinator decides without an operator, each time with its evidence in the audit log. */
export interface Policies {
  /** @param scope of what whoever asks sees, and changes */
  list(scope: SubjectScope): Promise<PolicyView[]>;
  /** @throws `coordinator/unknown-policy` */
  get(name: string, scope: SubjectScope): Promise<PolicyView>;
  /**
   * @throws `protocol/invalid-document`, `identity/forbidden`, `coordinator/too-many-policies`, `coordinator/unknown-task`,
   *   `coordinator/unknown-model`
   */
  set(name: string, document: unknown, by: AuditActor, scope: SubjectScope): Promise<PolicyView>;
  /** @throws `coordinator/unknown-policy`, `identity/forbidden` */
  remove(name: string, by: AuditActor, scope: SubjectScope): Promise<void>;
  /** Newest first, of a policy or of all. @throws `http/invalid-cursor` */
  decisions(asked: PolicyDecisionQuery, scope: SubjectScope): Promise<PolicyDecisionList>;
  begin(): void;
  /** Looks now at what is to be decided. */
  look(): Promise<void>;
  close(): Promise<void>;
}

/** A policy as it is looked at; that of a task stands in the task's document. */
type Looked = Pick<Policy, "name" | "dryRun" | "cooldownMs" | "budget" | "does"> & {
  readonly withoutGate?: boolean;
};

export function createPolicies(context: PoliciesContext): Policies {
  const { env, store, blobs, bus, registry, rollouts } = context;
  const { clock, log } = env;
  const queue = new SerialQueue();
  let timer: Timer | undefined;
  let soon: Timer | undefined;
  let subscription: Subscription | undefined;
  let closed = false;

  const inTurn = <T>(job: () => Promise<T>): Promise<T> =>
    queue.run(() => {
      if (closed) throw failure("core/closed", "policies: closed");
      return job();
    });

  /** Newest first. */
  const decidedBy = async (policy: Pick<Looked, "name" | "does">): Promise<PolicyDecisionRecord[]> =>
    (await store.policyDecisions.list({ policy: policy.name, limit: 1_000 })).filter((decision) =>
      isOfPolicy(policy, decision),
    );
  const isTaken = ({ outcome }: PolicyDecisionRecord): boolean => outcome !== "failed";

  const proposed = async (policy: Looked, since: number): Promise<Proposal | undefined> => {
    const { does } = policy;
    if (does.kind === "promote") return promotion(does, policy.withoutGate === true);
    const task = await store.tasks.get(does.task);
    const telemetry = await store.tasks.get(does.telemetryTask);
    if (task === undefined || telemetry === undefined) return undefined;
    return proposeTraining(does, task, await measured(telemetry, does.measurements), since);
  };

  const measured = async (task: TaskRecord, limit: number): Promise<MeasuredDrift[]> => {
    const records = await store.measurements.list(task.name, { limit });
    if (records.length === 0) return [];
    const reference = await driftReference({ store, blobs }, task);
    return records.map((measurement) => ({ measurement, views: driftViews(measurement, reference) }));
  };

  const promotion = async (does: Promote, withoutGate: boolean): Promise<Proposal | undefined> => {
    const aliased = does.by === "alias" && does.alias !== null;
    const champion = aliased
      ? (await store.aliases.get(does.model, does.alias!))?.version
      : (await store.channels.get(does.model, does.channel))?.version;
    // A name that none has yet is given to the first that is good.
    if (champion === undefined && !aliased) return undefined;
    const versions = [];
    for (const version of await store.versions.list(does.model, { limit: NEWEST_VERSIONS }))
      if ((await withdrawnAncestor(store, does.model, version.version)) === undefined) versions.push(version);
    if (does.by !== "alias") {
      // One rollout at a time; it says which version the channel gets.
      const underWay = await store.rollouts.underWay(does.model);
      if (underWay.some(({ channel }) => channel === does.channel)) return undefined;
    }
    return proposePromotion(does, champion ?? null, versions, { withoutGate });
  };

  /** Does what was proposed and stores the decision, in one transaction. */
  const act = async (policy: Looked, proposal: Proposal, now: number): Promise<void> => {
    const { name, does, dryRun } = policy;
    const by: AuditActor = { kind: "coordinator", policy: name };
    const decision: PolicyDecisionRecord = {
      ...proposal,
      policy: name,
      outcome: dryRun ? "dry-run" : "done",
      at: now,
    };
    const also: AlsoStored = async (tx, at) => {
      await tx.policyDecisions.put(decision);
      await tx.audit.append([policyDecided(by, decision)], at);
    };
    if (dryRun) await store.transaction((tx) => also(tx, now));
    else if (does.kind === "train-on-drift") await train(does, by, also);
    else await promote(does, proposal, by, also);
    log.info("policy decided", { policy: name, outcome: decision.outcome, reason: decision.reason });
  };

  const train = async ({ task, rounds }: TrainOnDrift, by: AuditActor, also: AlsoStored): Promise<void> => {
    await registry.changeTask(task, { state: "running", moreRounds: rounds }, by, also);
  };

  const promote = async (
    does: Promote,
    { object: { version } }: Proposal,
    by: AuditActor,
    also: AlsoStored,
  ): Promise<void> => {
    if (version === null) throw new TypeError("policies: a promotion is of a version");
    if (does.by === "alias") await registry.moveAlias(does.model, does.alias!, version, by, also);
    else if (does.by === "release")
      await registry.release(does.model, version, { channel: does.channel, by, also });
    else await rollouts.start(does.model, promotionRollout(does, version), by, also);
  };

  /** What could not be done is recorded once for each reason, and tried again later. */
  const failed = async (policy: Looked, proposal: Proposal, error: unknown, now: number): Promise<void> => {
    const coded = toFailure(error);
    const before = await store.policyDecisions.get(policy.name, proposal.key);
    const reason = `${proposal.reason}; it could not be done: ${coded.message}`.slice(0, 512);
    const decision: PolicyDecisionRecord = {
      ...proposal,
      policy: policy.name,
      outcome: "failed",
      reason,
      evidence: { ...proposal.evidence, code: coded.code },
      at: now,
    };
    await store.transaction(async (tx) => {
      await tx.policyDecisions.put(decision);
      if (before?.evidence["code"] !== coded.code)
        await tx.audit.append([policyDecided({ kind: "coordinator", policy: policy.name }, decision)], now);
    });
    log.warn("policy could not do what it decided", { policy: policy.name, code: coded.code });
  };

  const lookAt = async (policy: Looked): Promise<void> => {
    const now = clock.now();
    const taken = (await decidedBy(policy)).filter(isTaken);
    const asked = policy.does.kind === "train-on-drift" ? policy.does.rounds : 0;
    if (allowanceOf(policy, taken, now, asked).state !== "watching") return;
    const proposal = await proposed(policy, taken[0]?.at ?? -Infinity);
    if (proposal === undefined) return;
    const before = await store.policyDecisions.get(policy.name, proposal.key);
    if (before !== undefined && (before.outcome !== "failed" || now < before.at + POLICY_RETRY_MS)) return;
    try {
      await act(policy, proposal, now);
    } catch (error) {
      if (closed) return;
      // Of a store that cannot be written nothing is stored either.
      if (TributaryError.is(error) && error.code.startsWith("store/") && error.code !== "store/conflict")
        throw error;
      await failed(policy, proposal, error, now);
    }
  };

  const look = async (): Promise<void> => {
    const stored = (await store.policies.list()).map(({ policy }) => policy);
    const enabled: Looked[] = stored.filter((policy) => policy.enabled);
    for (const policy of [...enabled, ...ofTasks(await store.tasks.list())]) {
      if (closed) return;
      try {
        await lookAt(policy);
      } catch (error) {
        if (!closed) log.error("policies: one could not be looked at", { policy: policy.name, error });
      }
    }
    await store.policyDecisions.prune(clock.now() - DECISIONS_KEPT_MS);
  };

  const run = (): Promise<void> =>
    inTurn(look).catch((error: unknown) => {
      if (!closed) log.error("policies could not be looked at", { error });
    });

  const later = (): void => {
    timer = clock.schedule(POLICY_LOOK_MS, () => {
      void run().finally(() => {
        if (!closed) later();
      });
    });
  };

  const viewOf = async (policy: Policy): Promise<PolicyView> => {
    const decided = await decidedBy(policy);
    const taken = decided.filter(isTaken);
    const { state, waitsUntil, decisions, rounds } = allowanceOf(policy, taken, clock.now());
    const [last] = decided;
    return {
      ...policy,
      state: policy.enabled ? state : "disabled",
      waitsUntil: policy.enabled ? optionalTimestamp(waitsUntil) : null,
      decisionsInPeriod: decisions,
      roundsInPeriod: rounds,
      lastDecision: last === undefined ? null : decisionView(last),
    };
  };

  const recordOf = async (
    { policies }: Pick<MetadataRepositories, "policies">,
    name: string,
    scope: SubjectScope,
  ): Promise<Policy> => {
    const record = await policies.get(name);
    // What one may not see is not there.
    if (record !== undefined && seesPolicy(scope, record.policy)) return record.policy;
    throw unknownPolicy(name);
  };

  return {
    async list(scope) {
      const views: PolicyView[] = [];
      for (const { policy } of await store.policies.list())
        if (seesPolicy(scope, policy)) views.push(await viewOf(policy));
      return views;
    },
    get: async (name, scope) => viewOf(await recordOf(store, name, scope)),
    set: (name, document, by, scope) =>
      inTurn(async () => {
        const named = typeof document === "object" && document !== null ? { name, ...document } : document;
        const policy = parsePolicy(named);
        if (policy.name !== name)
          throw failure("protocol/invalid-document", `policies: the document is of "${policy.name}"`, {
            detail: { document: "policy", path: "/name", problem: `must be "${name}" as in the address` },
          });
        const at = clock.now();
        await store.transaction(async (tx) => {
          requirePolicy(scope, policy);
          await requireKnownSubjects(tx, policy);
          const before = await tx.policies.get(name);
          // The name may be another's.
          if (before !== undefined) {
            requireSeen(scope, before.policy);
            requirePolicy(scope, before.policy);
          }
          const others = (await tx.policies.list()).filter((each) => each.policy.name !== name);
          if (others.length >= MAX_POLICIES)
            throw failure("coordinator/too-many-policies", `policies: there are ${others.length}`, {
              detail: { maxPolicies: MAX_POLICIES },
            });
          await tx.policies.put({ policy, changedAt: at });
          await tx.audit.append([policySet(by, policy, await modelOf(tx, policy))], at);
        });
        log.info("policy set", { policy: name, enabled: policy.enabled, dryRun: policy.dryRun });
        return viewOf(policy);
      }),
    remove: (name, by, scope) =>
      inTurn(async () => {
        await store.transaction(async (tx) => {
          const policy = await recordOf(tx, name, scope);
          requirePolicy(scope, policy);
          await tx.policies.remove(name);
          await tx.audit.append([policyRemoved(by, policy, await modelOf(tx, policy))], clock.now());
        });
        log.info("policy removed", { policy: name });
      }),
    async decisions({ policy, ...asked }, scope) {
      const { rows, next } = await LISTS.policyDecisions(asked, async ({ limit, before }) => {
        const seen: PolicyDecisionRecord[] = [];
        let atATime = limit;
        let last = before;
        // A page is of what is seen: its cursor tells of nothing else, and it is not empty where there is more.
        for (;;) {
          const page = await store.policyDecisions.list({
            limit: atATime,
            ...(last === undefined ? {} : { before: last }),
            ...(policy === undefined ? {} : { policy }),
          });
          seen.push(...page.filter((row) => seesDecision(scope, row)));
          if (page.length < atATime || seen.length >= limit) return seen.slice(0, limit);
          last = page.at(-1)!;
          atATime = Math.max(limit, FURTHER_READ);
        }
      });
      return { decisions: rows.map(decisionView), next };
    },
    begin() {
      subscription = bus.subscribe("event", ({ id, type }) => {
        if (id === null || !["round", "version", "rollout"].includes(type)) return;
        if (soon !== undefined || closed) return;
        soon = clock.schedule(POLICY_EVENT_LOOK_MS, () => {
          soon = undefined;
          void run();
        });
      });
      later();
      void run();
    },
    look: () => inTurn(look),
    async close() {
      closed = true;
      subscription?.close();
      timer?.cancel();
      soon?.cancel();
      await queue.idle();
    },
  };
}

/** Tasks whose versions are rolled out by themselves. */
function ofTasks(tasks: readonly TaskRecord[]): Looked[] {
  return tasks
    .filter(({ spec }) => spec.kind === "train" && spec.release === "rollout")
    .map(({ name, model, spec }) => ({
      name: `task:${name}`,
      dryRun: false,
      cooldownMs: 0,
      budget: { decisions: null, rounds: null, periodMs: 3_600_000 },
      does: { kind: "promote", model, by: "rollout", channel: STABLE_CHANNEL, alias: null, rollout: {} },
      withoutGate: spec.gate === null,
    }));
}

/** Whose what it changes is. */
async function modelOf(
  { tasks }: Pick<MetadataRepositories, "tasks">,
  { does }: Pick<Policy, "does">,
): Promise<ModelName | undefined> {
  return does.kind === "promote" ? does.model : (await tasks.get(does.task))?.model;
}

function unknownPolicy(name: string): Error {
  return failure("coordinator/unknown-policy", `policies: no policy "${name}"`, { detail: { policy: name } });
}

function decisionView({
  policy,
  outcome,
  at,
  reason,
  object,
  rounds,
  evidence,
}: PolicyDecisionRecord): PolicyDecisionView {
  return { policy, outcome, at: timestamp(at), reason, ...object, rounds, evidence };
}
