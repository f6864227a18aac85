import { pages, type ApiClient, type RefusalView } from "@tributary/api-client";

/** Of a round, newest first. */
export async function everyRefusal(
  api: Pick<ApiClient, "refusals">,
  roundId: string,
): Promise<readonly RefusalView[]> {
  const all: RefusalView[] = [];
  for await (const { refusals } of pages((cursor) => api.refusals(roundId, { limit: 500, cursor })))
    all.push(...refusals);
  return all;
}
