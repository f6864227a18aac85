import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** A day's rounds one after the other would take a test as long: they are copies of one that there is, as rows. */
interface Copies {
  readonly table: "rounds" | "versions";
  /** Of the row that is copied, by what it is known by. */
  readonly where: string;
  /** Columns that differ, as SQL in terms of `n`. */
  readonly differing: Readonly<Record<string, string>>;
  readonly from: number;
  readonly to: number;
}

function copyRow(db: DatabaseSync, { table, where, differing, from, to }: Copies): void {
  const columns = db
    .prepare(`select name from pragma_table_info(?)`)
    .all(table)
    .map(({ name }) => String(name));
  const values = columns.map((column) => differing[column] ?? column).join(", ");
  db.exec(`
    with recursive numbers(n) as (select ${from} union all select n + 1 from numbers where n < ${to})
    insert into ${table} (${columns.join(", ")})
      select ${values} from numbers cross join (select * from ${table} where ${where} limit 1)`);
}

/**
 * Gives a task that has had one round, and its model that has one version, a long history: `count` rounds, each of which
 * committed a version, and the losses and accuracies of learning.
 */
export function giveLongHistory(dataDir: string, task: string, count: number): void {
  const db = new DatabaseSync(join(dataDir, "tributary.db"));
  try {
    const { model } = db.prepare("select model from tasks where name = ?").get(task) as { model: string };
    const accuracy = "1 - 0.9 / (1 + n / 400.0) + 0.01 * (n % 7) / 7.0 - 0.01";
    const loss = "2.3 / (1 + n / 300.0) + 0.02 * (n % 5)";
    db.exec("begin");
    copyRow(db, {
      table: "rounds",
      where: `task = '${task}'`,
      from: 2,
      to: count,
      differing: {
        id: `'${task}-copy-' || n`,
        number: "n",
        phase: "'committed'",
        base_version: "n - 1",
        version: "n",
        started_at: "started_at + n * 60000",
        ended_at: "started_at + n * 60000 + 24000 + (n % 13) * 900",
        deadline_at: "null",
        offered: "40",
        ready: "34 - n % 4",
        cohort: "30 - n % 3",
        reported: "29 - n % 5",
        dropouts: "2 + n % 3",
        num_examples: "1200 + n % 90",
        loss,
        train_loss: `${loss} + 0.05`,
        accuracy,
        train_accuracy: `${accuracy} - 0.02`,
        bytes_up: "900000 + (n % 17) * 9000",
        bytes_down: "2100000 + (n % 11) * 21000",
        seconds: "24 + (n % 13) * 0.9",
        reason: "null",
        phases: `json_array(
          json_object('phase', 'selecting', 'at', started_at + n * 60000, 'dropouts', 0),
          json_object('phase', 'training', 'at', started_at + n * 60000 + 1500, 'dropouts', 0),
          json_object('phase', 'reporting', 'at', started_at + n * 60000 + 17000, 'dropouts', 1),
          json_object('phase', 'aggregating', 'at', started_at + n * 60000 + 22000, 'dropouts', 2 + n % 3),
          json_object('phase', 'committed', 'at', started_at + n * 60000 + 24000, 'dropouts', 2 + n % 3))`,
      },
    });
    copyRow(db, {
      table: "versions",
      where: `model = '${model}' and version = 1`,
      from: 2,
      to: count,
      differing: {
        version: "n",
        // A line that was taken back to, now and then.
        parent_version: "case when n % 9 = 0 then n - 2 else n - 1 end",
        round_id: `'${task}-copy-' || n`,
        created_at: "created_at + n * 60000",
        loss,
        accuracy,
        cohort: "29 - n % 5",
        num_examples: "1200 + n % 90",
        released_at: "null",
      },
    });
    db.prepare("update models set current_version = ? where name = ?").run(count, model);
    db.exec("commit");
  } finally {
    db.close();
  }
}
