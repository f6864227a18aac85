import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ALL_MODELS, RIGHTS, ROLE_RIGHTS, ROLES, type Right } from "@tributary/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ServedRoute } from "../../src/access/route-access.ts";
import { errorCode, runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";

let coordinator: RunningCoordinator;
let routes: readonly ServedRoute[];
beforeAll(async () => {
  coordinator = await runningCoordinator();
  routes = coordinator.routes.filter(({ method }) => method !== "HEAD" && method !== "OPTIONS");
});
afterAll(() => coordinator.end());

/** Who calls each route: written down when the route is made. */
const DECIDED: Readonly<Record<string, readonly string[]>> = {
  public: [
    "DELETE /v1/session",
    "GET /api",
    "GET /asyncapi.json",
    "GET /demo",
    "GET /demo/",
    "GET /healthz",
    "GET /openapi.json",
    "GET /problems",
    "GET /problems/*",
    "GET /schemas/alert-rule.json",
    "GET /schemas/notification-channel.json",
    "GET /schemas/policy.json",
    "GET /schemas/task.json",
    "GET /v1/session",
    "GET /v1/session/oidc",
    "GET /v1/session/oidc/callback",
    "POST /v1/login-codes/token",
    "POST /v1/session",
    "POST /v1/setup",
  ],
  device: [
    "DELETE /v1/populations/:population/device",
    "GET /v1/blobs/:digest",
    "GET /v1/certificate-log",
    "GET /v1/certificate-log/consistency",
    "GET /v1/certificate-log/inclusion",
    "GET /v1/secure/:roundId/:step/:member",
    "GET /v1/targets/*",
    "GET /v1/tuf/:file",
    "POST /v1/populations/:population/enrolment-token",
    "POST /v1/populations/:population/enrolments",
    "PUT /v1/populations/:population/device/health",
    "PUT /v1/rounds/:roundId/updates/:digest",
    "PUT /v1/secure/:roundId/:step/:member/:digest",
  ],
  "operator view of all": [
    "GET /metrics",
    "GET /v1/devices",
    "GET /v1/devices/:device",
    "GET /v1/fleet",
    "GET /v1/fleet/history",
    "GET /v1/privacy",
  ],
  "operator operate of all": [
    "DELETE /v1/alert-rules/:rule",
    "DELETE /v1/devices/:device/revocation",
    "POST /v1/devices/:device/revocation",
    "PUT /v1/alert-rules/:rule",
  ],
  "operator view of any": [
    "DELETE /v1/api-tokens/:token",
    "DELETE /v1/operator-sessions/:session",
    "GET /v1/alert-rules",
    "GET /v1/alert-rules/:rule",
    "GET /v1/alert-silences",
    "GET /v1/alerts",
    "GET /v1/alerts/:alert",
    "GET /v1/api-tokens",
    "GET /v1/compare",
    "GET /v1/estimates/:id",
    "GET /v1/events",
    "GET /v1/keys",
    "GET /v1/models",
    "GET /v1/operator-sessions",
    "GET /v1/policies",
    "GET /v1/policies/:policy",
    "GET /v1/policy-decisions",
    "GET /v1/search",
    "GET /v1/search/fields",
    "GET /v1/status",
    "GET /v1/tasks",
    "POST /v1/api-tokens",
    "POST /v1/login-codes",
    "PUT /v1/session/password",
  ],
  "operator administer of all": [
    "DELETE /v1/notification-channels/:channel",
    "DELETE /v1/operators/:operator",
    "GET /v1/notification-channels",
    "GET /v1/notification-channels/:channel",
    "GET /v1/notification-channels/:channel/deliveries",
    "GET /v1/operators",
    "POST /v1/notification-channels/:channel/test",
    "POST /v1/operators",
    "PUT /v1/notification-channels/:channel",
    "PUT /v1/operators/:operator/grants",
    "PUT /v1/operators/:operator/password",
  ],
  "operator view of model": [
    "GET /v1/models/:model",
    "GET /v1/models/:model/aliases",
    "GET /v1/models/:model/card-notes",
    "GET /v1/models/:model/channels",
    "GET /v1/models/:model/channels/:channel/history",
    "GET /v1/models/:model/health",
    "GET /v1/models/:model/retention",
    "GET /v1/models/:model/retention/preview",
    "GET /v1/models/:model/rollouts",
    "GET /v1/models/:model/rollouts/:rollout",
    "GET /v1/models/:model/versions",
    "GET /v1/models/:model/versions/:version",
    "GET /v1/models/:model/versions/:version/card",
    "GET /v1/models/:model/versions/:version/card.md",
    "GET /v1/models/:model/versions/:version/files",
    "GET /v1/models/:model/withdrawals",
  ],
  "operator view of role": ["GET /v1/keys/:role/draft", "GET /v1/keys/:role/keys"],
  "operator view of round": ["GET /v1/rounds/:roundId", "GET /v1/rounds/:roundId/refusals"],
  "operator view of task": [
    "GET /v1/tasks/:task",
    "GET /v1/tasks/:task/activity",
    "GET /v1/tasks/:task/buffer",
    "GET /v1/tasks/:task/drift",
    "GET /v1/tasks/:task/measurements",
    "GET /v1/tasks/:task/privacy",
    "GET /v1/tasks/:task/rounds",
    "GET /v1/tasks/:task/suspicions",
  ],
  "operator operate of any": [
    "DELETE /v1/alert-silences/:silence",
    "DELETE /v1/alerts/:alert/acknowledgement",
    "DELETE /v1/estimates/:id",
    "DELETE /v1/policies/:policy",
    "POST /v1/alert-silences",
    "POST /v1/alerts/:alert/acknowledgement",
    "POST /v1/blobs",
    "POST /v1/tasks/estimate",
    "PUT /v1/policies/:policy",
  ],
  "operator operate of body": ["POST /v1/tasks", "POST /v1/tasks/validation"],
  "operator operate of model": [
    "DELETE /v1/models/:model/aliases/:alias",
    "DELETE /v1/models/:model/channels/:channel",
    "POST /v1/models/:model/release",
    "POST /v1/models/:model/rollouts",
    "POST /v1/models/:model/rollouts/:rollout/state",
    "POST /v1/models/:model/versions",
    "POST /v1/models/:model/versions/:version/reproduction",
    "POST /v1/models/:model/versions/:version/withdrawal",
    "PUT /v1/models/:model/aliases/:alias",
    "PUT /v1/models/:model/card-notes",
    "PUT /v1/models/:model/retention",
  ],
  "operator operate of task": [
    "DELETE /v1/tasks/:task/suspicions/:device",
    "POST /v1/tasks/:task/head",
    "POST /v1/tasks/:task/state",
  ],
  "operator administer of role": [
    "POST /v1/keys/:role/rotation",
    "POST /v1/keys/:role/signatures",
    "PUT /v1/keys/:role",
  ],
  "operator audit of all": ["GET /v1/audit/records", "GET /v1/certificate-log/entries"],
  "operator audit of query": ["GET /v1/audit"],
};

test("each route has a decision who may call it", () => {
  const served = Map.groupBy(routes, ({ access }) =>
    access.audience === "operator" ? `operator ${access.needs} of ${access.of}` : access.audience,
  );
  const found = Object.fromEntries(
    [...served].map(([decision, list]) => [
      decision,
      list.map(({ method, url }) => `${method} ${url}`).toSorted(),
    ]),
  );
  expect(found).toEqual(DECIDED);
});

/** A path of a route on which nothing is. */
function pathOf(url: string): string {
  const values: Readonly<Record<string, string>> = {
    version: "1",
    digest: "0".repeat(64),
    device: "0".repeat(32),
    roundId: "none-1",
  };
  return url.replace(/:(\w+)/g, (_, name: string) => values[name] ?? "none");
}

test("no route of operators answers without credentials, or to wrong ones", async () => {
  const operators = routes.filter(({ access }) => access.audience === "operator");
  expect(operators.length).toBeGreaterThan(40);
  for (const { method, url } of operators) {
    for (const authorization of [undefined, "Bearer wrong", "Basic dG9rZW46"]) {
      const response = await coordinator.request(pathOf(url), {
        method,
        operator: false,
        ...(authorization === undefined ? {} : { headers: { authorization } }),
      });
      expect([method, url, response.status, await errorCode(response)]).toEqual([
        method,
        url,
        401,
        "identity/not-authorized",
      ]);
    }
  }
});

describe("what ACCESS.md says", () => {
  const guide = readFileSync(join(import.meta.dirname, "../../ACCESS.md"), "utf8");
  const cells = (line: string): string[] =>
    line
      .split("|")
      .map((cell) => cell.trim())
      .slice(1, -1);

  test("of roles is what they may", () => {
    const rows = guide.split("\n").filter((line) => /^\| (?:role|viewer|operator|admin|auditor) /.test(line));
    const [head, ...told] = rows.map(cells);
    expect(head).toEqual(["role", ...RIGHTS]);
    const expected = ROLES.map((role) => [
      role,
      ...RIGHTS.map((right) => (ROLE_RIGHTS[role].includes(right) ? "yes" : "")),
    ]);
    expect(told).toEqual(expected);
  });

  test("of calls is what they need", () => {
    const told = [...guide.matchAll(/^\| `((?:GET|POST|PUT|DELETE) [^`]+)` +\| (\w+)/gm)].map(
      ([, call, needs]) => `${call} ${needs}`,
    );
    const exceptions = routes.flatMap(({ method, url, access }) => {
      const usual = method === "GET" ? "view" : "operate";
      return access.audience !== "operator" || access.needs === usual
        ? []
        : [`${method} ${url} ${access.needs}`];
    });
    expect(told.toSorted()).toEqual(exceptions.toSorted());
  });
});

describe("roles", () => {
  const RIGHTS_OF: Readonly<Record<string, readonly Right[]>> = {
    viewer: ["view"],
    operator: ["view", "operate"],
    admin: ["view", "operate", "administer", "audit"],
    auditor: ["view", "audit"],
  };
  test.each(ROLES)("%s", (role) => {
    expect(ROLE_RIGHTS[role]).toEqual(RIGHTS_OF[role]);
  });
  test("all models are written as a name that none can have", () => {
    expect(ALL_MODELS).toBe("*");
  });
});

test("refusals are counted by their code", async () => {
  const count = async () => {
    const text = await (await coordinator.request("/metrics")).text();
    const sample = /^tributary_access_refused_total\{code="identity\/not-authorized"\} (\d+)$/m.exec(text);
    return Number(sample?.[1] ?? 0);
  };
  const before = await count();
  await coordinator.request("/v1/status", { operator: false });
  expect(await count()).toBe(before + 1);
});
