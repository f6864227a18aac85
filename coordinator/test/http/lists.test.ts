import { afterAll, beforeAll, expect, test } from "vitest";
import { openContractRoom, type ContractRoom } from "../contract/contract-room.ts";

// Lists that can grow without bound are read page by page, all in the same way.

/** Append-only logs are read from an index on. */
const RANGES = ["/v1/audit/records", "/v1/certificate-log/entries"];

interface Operation {
  readonly parameters?: readonly { readonly name?: string; readonly in?: string; readonly $ref?: string }[];
  readonly responses: Readonly<Record<string, { readonly content?: Record<string, { schema: Schema }> }>>;
}
interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
}

let room: ContractRoom;
let document: {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};
beforeAll(async () => {
  room = await openContractRoom();
  document = (await (await fetch(`${room.url}/openapi.json`)).json()) as typeof document;
  // One that waits for a variable of its environment.
  const channel = { target: { kind: "webhook", url: { env: "TRIBUTARY_NOTIFY_OPS_URL" } } };
  expect((await ask("/v1/notification-channels/beta", channel)).status).toBe(200);
});
afterAll(() => room?.end());

function ask(path: string, put?: object): Promise<Response> {
  return fetch(`${room.url}${path}`, {
    method: put === undefined ? "GET" : "PUT",
    headers: { authorization: `Bearer ${room.operatorToken}`, "content-type": "application/json" },
    ...(put !== undefined && { body: JSON.stringify(put) }),
  });
}

/** What can be asked for with a limit, and by which names. */
function limited(): {
  readonly path: string;
  readonly queries: readonly string[];
  readonly answer: Schema;
}[] {
  return Object.entries(document.paths).flatMap(([path, { get }]) => {
    const queries = (get?.parameters ?? []).flatMap(({ name, in: where }) =>
      where === "query" && name !== undefined ? [name] : [],
    );
    if (get === undefined || !queries.includes("limit")) return [];
    const schema = get.responses["200"]!.content!["application/json"]!.schema;
    const name = schema.$ref?.split("/").at(-1);
    return [{ path, queries, answer: name === undefined ? schema : document.components.schemas[name]! }];
  });
}

test("what has a limit has a cursor, and says in its answer where the next page begins", () => {
  const lists = limited().filter(({ path }) => !RANGES.includes(path));
  expect(lists.map(({ path }) => path).toSorted()).toEqual([
    "/v1/alerts",
    "/v1/audit",
    "/v1/devices",
    "/v1/models/{model}/channels/{channel}/history",
    "/v1/models/{model}/rollouts",
    "/v1/models/{model}/versions",
    "/v1/notification-channels/{channel}/deliveries",
    "/v1/policy-decisions",
    "/v1/rounds/{roundId}/refusals",
    "/v1/search",
    "/v1/tasks/{task}/drift",
    "/v1/tasks/{task}/measurements",
    "/v1/tasks/{task}/rounds",
  ]);
  for (const { path, queries, answer } of lists) {
    expect(queries, path).toContain("cursor");
    expect(queries, path).not.toContain("before");
    expect(answer.properties, path).toHaveProperty("next");
  }
});

test("a cursor that is none of the list's is refused, the one that it gave is not", async () => {
  for (const { path } of limited().filter((each) => !RANGES.includes(each.path))) {
    const named = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(room.known.get(name)![0]));
    const refused = await ask(`${named}?cursor=no-place`);
    expect(await refused.json(), path).toMatchObject({
      status: 400,
      code: "http/invalid-cursor",
      data: { in: "querystring", path: "/cursor" },
    });
    const first = (await (await ask(`${named}?limit=1`)).json()) as { readonly next: string | null };
    if (first.next === null) continue;
    const second = await ask(`${named}?limit=1&cursor=${encodeURIComponent(first.next)}`);
    expect(second.status, path).toBe(200);
    expect(await second.json(), path).not.toMatchObject(first);
  }
});

test("a round is found by its number", async () => {
  const task = String(room.known.get("task")![0]);
  const found = await (await ask(`/v1/tasks/${task}/rounds?number=3`)).json();
  expect(found).toMatchObject({ rounds: [{ number: 3 }], next: null });
  expect(await (await ask(`/v1/tasks/${task}/rounds?number=99`)).json()).toEqual({ rounds: [], next: null });
});
