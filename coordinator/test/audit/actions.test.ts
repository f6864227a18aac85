import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AUDIT_ACTIONS, type AuditAction } from "@tributary/protocol";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");

/** What each route of operators that may change something is recorded as; null: it changes nothing. */
const RECORDED: Readonly<Record<string, readonly AuditAction[] | null>> = {
  "post /v1/alerts/{alert}/acknowledgement": ["alert.acknowledge"],
  "delete /v1/alerts/{alert}/acknowledgement": ["alert.unacknowledge"],
  "post /v1/alert-silences": ["alert-silence.create"],
  "delete /v1/alert-silences/{silence}": ["alert-silence.end"],
  "put /v1/alert-rules/{rule}": ["alert-rule.set"],
  "delete /v1/alert-rules/{rule}": ["alert-rule.remove"],
  "put /v1/notification-channels/{channel}": ["notification-channel.set"],
  "delete /v1/notification-channels/{channel}": ["notification-channel.remove"],
  "post /v1/notification-channels/{channel}/test": ["notification-channel.test"],
  "put /v1/policies/{policy}": ["policy.set"],
  "delete /v1/policies/{policy}": ["policy.remove"],
  "post /v1/blobs": ["blob.upload"],
  "put /v1/keys/{role}": ["key.set"],
  "post /v1/keys/{role}/rotation": ["key.rotate"],
  "post /v1/keys/{role}/signatures": ["key.sign"],
  "delete /v1/tasks/{task}/suspicions/{device}": ["device.release"],
  "post /v1/devices/{device}/revocation": ["device.revoke"],
  "delete /v1/devices/{device}/revocation": ["device.readmit"],
  "post /v1/models/{model}/versions": ["model.publish", "model.release"],
  "post /v1/models/{model}/versions/{version}/reproduction": null,
  "post /v1/models/{model}/versions/{version}/withdrawal": ["version.withdraw"],
  "post /v1/models/{model}/release": ["model.release"],
  "delete /v1/models/{model}/channels/{channel}": ["channel.remove"],
  "put /v1/models/{model}/aliases/{alias}": ["alias.move"],
  "delete /v1/models/{model}/aliases/{alias}": ["alias.remove"],
  "put /v1/models/{model}/card-notes": ["model.notes"],
  "put /v1/models/{model}/retention": ["model.retention"],
  "post /v1/models/{model}/rollouts": ["rollout.start"],
  "post /v1/models/{model}/rollouts/{rollout}/state": [
    "rollout.abort",
    "rollout.back",
    "rollout.pause",
    "rollout.promote",
    "rollout.resume",
  ],
  "post /v1/operators": ["operator.create"],
  "put /v1/operators/{operator}/grants": ["operator.grants"],
  "put /v1/operators/{operator}/password": ["operator.password"],
  "delete /v1/operators/{operator}": ["operator.remove"],
  "post /v1/api-tokens": ["api-token.create"],
  "delete /v1/api-tokens/{token}": ["api-token.revoke"],
  "post /v1/login-codes": ["login.allow"],
  "put /v1/session/password": ["operator.password", "session.begin"],
  "delete /v1/operator-sessions/{session}": ["session.end"],
  "post /v1/tasks": ["task.create"],
  "post /v1/tasks/validation": null,
  "post /v1/tasks/estimate": null,
  "delete /v1/estimates/{id}": null,
  "post /v1/tasks/{task}/state": ["task.pause", "task.resume"],
  "post /v1/tasks/{task}/head": ["task.reset"],
};

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly "x-audience"?: string }>>>>;
}

test("each route that operators change something by is recorded, or is known to change nothing", () => {
  const file = join(ROOT, "packages/api-client/src/generated/openapi.json");
  const { paths } = JSON.parse(readFileSync(file, "utf8")) as OpenApi;
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { "x-audience": audience }]) =>
      method === "get" || method === "head" || audience !== "operator" ? [] : [`${method} ${path}`],
    ),
  );
  expect(routes.toSorted()).toEqual(Object.keys(RECORDED).toSorted());
});

test("there is no name for what is never recorded", () => {
  const sources = globSync("coordinator/src/**/*.ts", { cwd: ROOT })
    .map((file) => readFileSync(join(ROOT, file), "utf8"))
    .join("\n");
  // As it is, or made of what an operator asked for.
  const isRecorded = (action: AuditAction): boolean =>
    sources.includes(`"${action}"`) || sources.includes(`\`${action.split(".")[0]}.\${`);
  expect(AUDIT_ACTIONS.filter((action) => !isRecorded(action))).toEqual([]);
  expect([...AUDIT_ACTIONS]).toEqual([...AUDIT_ACTIONS].toSorted());
});
