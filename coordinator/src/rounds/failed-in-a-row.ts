import { failuresAfter } from "@tributary/federation";
import type { TaskRecord } from "../ports/task-records.ts";
import type { RoundServices } from "./round-services.ts";

const PAGE = 100;

/** Rounds of a task that failed in a row when the coordinator was last running, since the task was last let go on. */
export async function failedInARow(
  { store: { rounds } }: Pick<RoundServices, "store">,
  { name, activeSince }: TaskRecord,
): Promise<number> {
  let failures = 0;
  let before: number | undefined;
  for (;;) {
    const page = await rounds.list(name, { limit: PAGE, ...(before === undefined ? {} : { before }) });
    for (const record of page) {
      // A gate's rounds neither fail nor end a streak: whether it finds its devices says nothing of training.
      if (record.purpose === "gate") continue;
      if (record.startedAt < activeSince || failuresAfter(0, record) === 0) return failures;
      failures += 1;
    }
    if (page.length < PAGE) return failures;
    before = page.at(-1)?.number;
  }
}
