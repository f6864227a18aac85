import { AsyncLocalStorage } from "node:async_hooks";
import { failure } from "@tributary/core";
import { type Kysely, sql } from "kysely";
import type { AuditRecord } from "@tributary/protocol";
import type { MetadataRepositories, MetadataStore, VersionCommit } from "../../ports/metadata-store.ts";
import type { EventRecord } from "../../ports/event-records.ts";
import type { SqliteObserver } from "./coded-sqlite.ts";
import { repositories } from "./repositories.ts";
import type { Database } from "./schema.ts";
import { openSqlite } from "./sqlite.ts";

/**
 * The metadata store on SQLite.
 *
 * @param options.path - a file, or `:memory:`
 * @param options.observer - told whether what is written reaches the disk
 * @param options.onRecorded - told what was added to the audit log, when it is stored
 * @throws `store/unavailable`, `store/database-damaged`, `store/newer-schema`
 */
export async function openSqlMetadataStore(options: {
  readonly path: string;
  readonly observer?: SqliteObserver;
  readonly onRecorded?: OnRecorded;
}): Promise<MetadataStore> {
  return new SqlMetadataStore(await openSqlite(options.path, options.observer), options.onRecorded);
}

type OnRecorded = (records: readonly AuditRecord[]) => void;

class SqlMetadataStore implements MetadataStore {
  readonly #db: Kysely<Database>;
  readonly #inTransaction = new AsyncLocalStorage<true>();
  readonly #direct: MetadataRepositories;
  readonly #onRecorded: OnRecorded;
  #closing: Promise<void> | undefined;

  constructor(db: Kysely<Database>, onRecorded: OnRecorded = () => undefined) {
    this.#db = db;
    this.#onRecorded = onRecorded;
    this.#direct = telling(repositories(db), onRecorded);
  }

  get models() {
    return this.#repositories().models;
  }
  get channels() {
    return this.#repositories().channels;
  }
  get aliases() {
    return this.#repositories().aliases;
  }
  get versions() {
    return this.#repositories().versions;
  }
  get versionStates() {
    return this.#repositories().versionStates;
  }
  get participations() {
    return this.#repositories().participations;
  }
  get deviceHealth() {
    return this.#repositories().deviceHealth;
  }
  get tasks() {
    return this.#repositories().tasks;
  }
  get rounds() {
    return this.#repositories().rounds;
  }
  get bufferedCohorts() {
    return this.#repositories().bufferedCohorts;
  }
  get search() {
    return this.#repositories().search;
  }
  get measurements() {
    return this.#repositories().measurements;
  }
  get journal() {
    return this.#repositories().journal;
  }
  get releases() {
    return this.#repositories().releases;
  }
  get devices() {
    return this.#repositories().devices;
  }
  get fleet() {
    return this.#repositories().fleet;
  }
  get certificateLog() {
    return this.#repositories().certificateLog;
  }
  get audit() {
    return this.#repositories().audit;
  }
  get refusals() {
    return this.#repositories().refusals;
  }
  get suspicions() {
    return this.#repositories().suspicions;
  }
  get rollouts() {
    return this.#repositories().rollouts;
  }
  get withdrawals() {
    return this.#repositories().withdrawals;
  }
  get alertRules() {
    return this.#repositories().alertRules;
  }
  get alerts() {
    return this.#repositories().alerts;
  }
  get silences() {
    return this.#repositories().silences;
  }
  get notificationChannels() {
    return this.#repositories().notificationChannels;
  }
  get deliveries() {
    return this.#repositories().deliveries;
  }
  get policies() {
    return this.#repositories().policies;
  }
  get policyDecisions() {
    return this.#repositories().policyDecisions;
  }
  get idempotentRequests() {
    return this.#repositories().idempotentRequests;
  }
  get optimizers() {
    return this.#repositories().optimizers;
  }
  get events() {
    return this.#repositories().events;
  }
  get accounts() {
    return this.#repositories().accounts;
  }
  get sessions() {
    return this.#repositories().sessions;
  }
  get apiTokens() {
    return this.#repositories().apiTokens;
  }
  get settings() {
    return this.#repositories().settings;
  }

  async transaction<T>(work: (tx: MetadataRepositories) => Promise<T>): Promise<T> {
    this.#repositories();
    const recorded: AuditRecord[] = [];
    const result = await this.#db
      .transaction()
      .execute((tx) =>
        this.#inTransaction.run(true, () =>
          work(telling(repositories(tx), (records) => recorded.push(...records))),
        ),
      );
    if (recorded.length > 0) this.#onRecorded(recorded);
    return result;
  }

  commitVersion(commit: VersionCommit, at: number): Promise<EventRecord[]> {
    return this.transaction(async (tx) => {
      if (commit.model !== undefined) await tx.models.insert(commit.model);
      if (commit.round !== undefined) await tx.rounds.update(commit.round);
      await tx.versions.insert(commit.version);
      if (commit.optimizer !== undefined) await tx.optimizers.put(commit.optimizer);
      if (commit.state !== undefined) await tx.versionStates.insert(commit.state);
      if (commit.journal !== undefined) await tx.journal.append(commit.journal);
      await tx.releases.apply(commit.release);
      await tx.audit.append(commit.audit, at);
      return tx.events.append(await commit.events(tx), at);
    });
  }

  async checkpoint(): Promise<void> {
    this.#repositories();
    await sql`pragma wal_checkpoint(truncate)`.execute(this.#db);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Waits its turn behind the transactions under way; afterwards nothing new begins.
    await sql`pragma wal_checkpoint(truncate)`.execute(this.#db);
    await this.#db.destroy();
  }

  #repositories(): MetadataRepositories {
    if (this.#inTransaction.getStore() === true)
      throw new TypeError(
        "store: inside a transaction use its own `tx`; the store itself would wait for it forever",
      );
    if (this.#closing !== undefined) throw failure("store/closed", "store: it was closed");
    return this.#direct;
  }
}

/** The same, but that what is added to the audit log is told. */
function telling(all: MetadataRepositories, onRecorded: OnRecorded): MetadataRepositories {
  const { audit } = all;
  return {
    ...all,
    audit: {
      ...audit,
      async append(records, at) {
        const appended = await audit.append(records, at);
        if (appended.length > 0) onRecorded(appended);
        return appended;
      },
    },
  };
}
