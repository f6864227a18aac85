import { openViewer, type Viewer, type Watched } from "./viewer.ts";

// A process of its own: all viewers, open or not as it is told.

/** To the process. */
export type ViewersOrder =
  | { readonly type: "open"; readonly watched: Watched; readonly count: number }
  /** Some close their page and open it again, as who comes and goes. */
  | { readonly type: "come-and-go"; readonly count: number }
  | { readonly type: "close" };

/** What they did since the order before. */
export interface ViewersReport {
  readonly events: number;
  readonly requests: number;
  readonly unchanged: number;
  readonly bytes: number;
}

let viewers: Viewer[] = [];
let watched: Watched | undefined;
const gone = { events: 0, requests: 0, unchanged: 0, bytes: 0 };

function add(into: typeof gone, from: ViewersReport): void {
  for (const key of Object.keys(into) as (keyof typeof into)[]) into[key] += from[key];
}

async function obey(order: ViewersOrder): Promise<void> {
  switch (order.type) {
    case "open":
      ({ watched } = order);
      viewers = Array.from({ length: order.count }, () => openViewer(order.watched));
      await Promise.all(viewers.map(({ ready }) => ready));
      return;
    case "come-and-go": {
      const leaving = viewers.splice(0, order.count);
      for (const viewer of leaving) {
        viewer.close();
        add(gone, viewer.counts);
      }
      const coming = leaving.map(() => openViewer(watched!));
      viewers.push(...coming);
      await Promise.all(coming.map(({ ready }) => ready));
      return;
    }
    case "close":
      for (const viewer of viewers) viewer.close();
      viewers = [];
      return;
    default: {
      const never: never = order;
      throw new TypeError(`viewers: no such order ${String(never)}`);
    }
  }
}

function report(): ViewersReport {
  const total = { ...gone };
  for (const { counts } of viewers) add(total, counts);
  for (const counts of [gone, ...viewers.map((viewer) => viewer.counts)])
    Object.assign(counts, { events: 0, requests: 0, unchanged: 0, bytes: 0 });
  return total;
}

process.on("message", (order: ViewersOrder) => {
  const before = report();
  obey(order).then(
    () => process.send?.({ done: before }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.on("disconnect", () => process.exit());
