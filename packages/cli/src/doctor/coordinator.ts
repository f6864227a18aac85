import type { ApiClient, KeyRoleView, StatusView, TaskView } from "@tributary/api-client";
import { TributaryError } from "@tributary/core";
import { counted } from "../counted.ts";
import { explain } from "../explain.ts";
import { waitingLine } from "../keys/role-lines.ts";
import { ok, problem, warning, type Finding } from "./finding.ts";

/** Tokens and certificates count in seconds, signed metadata in days: so far clocks may differ unnoticed. */
const CLOCK_TOLERANCE_MS = 5_000;
/** Metadata that runs out this soon should have been signed again. */
const SOON_DAYS = 3;

export interface CoordinatorCheck {
  readonly url: string;
  /** Undefined where none was found. */
  readonly token: string | undefined;
  readonly api: ApiClient;
  readonly cliVersion: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly fetch?: typeof globalThis.fetch;
}

/** What is wrong with a coordinator that runs, as far as it tells. */
export async function checkCoordinator(check: CoordinatorCheck): Promise<readonly Finding[]> {
  const { api, url } = check;
  let status: StatusView;
  try {
    status = await api.status();
  } catch (error) {
    if (TributaryError.is(error) && error.code === "identity/not-authorized") return [notSignedIn(check)];
    return [
      problem(
        "coordinator",
        `${url}: ${explain(error)}`,
        "Start it (tributary serve), or name its address with --url or TRIBUTARY_URL.",
      ),
    ];
  }
  return [
    ok("coordinator", `${status.name} at ${url}, ${counted(status.devices.connected, "device")} connected`),
    version(status, check.cliVersion),
    transport(url),
    await clock(check),
    storage(status),
    ...refusedVersions(status),
    ...(await keys(check)),
    ...(await tasks(api)),
  ];
}

function notSignedIn({ token, url }: CoordinatorCheck): Finding {
  return problem(
    "token",
    token === undefined
      ? `${url} answers, and tells nothing to whom it does not know: no token was found`
      : `${url} answers, and refuses the token`,
    "Sign in (tributary login), set TRIBUTARY_TOKEN, or name the coordinator's folder with --data-dir.",
  );
}

function version(status: StatusView, mine: string): Finding {
  return status.version === mine
    ? ok("version", mine)
    : warning(
        "version",
        `the coordinator is ${status.version}, this command line ${mine}`,
        "Use the command line of the coordinator's version.",
      );
}

function transport(address: string): Finding {
  const { protocol, hostname } = new URL(address);
  const loopback = hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
  if (protocol === "https:") return ok("transport", "TLS");
  return loopback
    ? ok("transport", "plain HTTP on this machine alone")
    : problem(
        "transport",
        "plain HTTP over a network: tokens can be read, and browsers give pages there no WebGPU, no keys and no threads",
        "Serve it over TLS.",
      );
}

async function clock({ url, now, fetch = globalThis.fetch }: CoordinatorCheck): Promise<Finding> {
  const asked = now();
  const { headers } = await fetch(new URL("/healthz", url), { method: "HEAD" });
  const told = Date.parse(headers.get("date") ?? "");
  if (Number.isNaN(told)) return ok("clock", "the coordinator does not tell its time");
  // The header counts whole seconds, and was written between the question and the answer.
  const apart = told + 500 - (asked + now()) / 2;
  const seconds = Math.round(Math.abs(apart) / 1000);
  return Math.abs(apart) <= CLOCK_TOLERANCE_MS
    ? ok("clock", `within ${Math.max(1, seconds)} s of the coordinator's`)
    : problem(
        "clock",
        `the coordinator's is ${seconds} s ${apart > 0 ? "ahead" : "behind"}`,
        "Set both by NTP: tokens and signed releases hold for a time.",
      );
}

function storage({ storageProblem }: StatusView): Finding {
  return storageProblem === null
    ? ok("storage", "it can store")
    : problem(
        "storage",
        `${storageProblem.code} since ${storageProblem.since}`,
        "Make room on its disk, or mend it.",
      );
}

function refusedVersions({ refusedVersions: refused }: StatusView): readonly Finding[] {
  return refused.map(({ model, version: number, code, devices }) =>
    warning(
      "releases",
      `${counted(devices, "device")} ${devices === 1 ? "does" : "do"} not run version ${number} of ${model}: ${code}`,
      `They stay on the version before; tributary rollback ${model} lets all go back.`,
    ),
  );
}

async function keys({ api, token }: CoordinatorCheck): Promise<readonly Finding[]> {
  if (token === undefined)
    return [
      warning(
        "token",
        "none was found, so that keys were not looked at",
        "Sign in (tributary login), set TRIBUTARY_TOKEN, or name the coordinator's folder with --data-dir.",
      ),
    ];
  try {
    const roles = await api.keys();
    return [ok("token", "the coordinator accepts it"), ...roleFindings(roles)];
  } catch (error) {
    if (!TributaryError.is(error)) throw error;
    return [
      problem(
        "token",
        `the coordinator refuses it: ${error.code}`,
        "It is of another coordinator, has expired, or may not see keys: take this one's.",
      ),
    ];
  }
}

function roleFindings(roles: readonly KeyRoleView[]): readonly Finding[] {
  const findings = roles.flatMap((role): readonly Finding[] => {
    const days = role.expiresInDays ?? Number.POSITIVE_INFINITY;
    const waits = waitingLine(role);
    if (waits !== undefined)
      return [warning("keys", waits, "Export it, sign it where the key lies, and import it.")];
    if (days > SOON_DAYS) return [];
    const when = days < 0 ? "has expired" : `expires in ${counted(days, "day")}`;
    return [
      (days < 0 ? problem : warning)(
        "keys",
        `metadata of ${role.role} ${when}`,
        "It is signed again by itself while the coordinator runs; its log says why it was not.",
      ),
    ];
  });
  return findings.length === 0 ? [ok("keys", "no signed metadata expires soon")] : findings;
}

async function tasks(api: ApiClient): Promise<readonly Finding[]> {
  const all = await api.tasks();
  const findings = await Promise.all(all.map((task) => taskFinding(api, task)));
  const bad = findings.filter((finding) => finding !== undefined);
  return bad.length > 0 ? bad : [ok("tasks", `${all.length}, none is stuck`)];
}

async function taskFinding(api: ApiClient, task: TaskView): Promise<Finding | undefined> {
  const { name, state, reason } = task;
  if (state === "paused" && reason !== null && reason.code !== "operator")
    return problem(
      `task ${name}`,
      `stopped: ${reason.message}`,
      `tributary rounds ${name} shows why; tributary task resume ${name} goes on.`,
    );
  if (state !== "running") return undefined;
  const { failures, checkedIn, ineligible } = await api.activity(name);
  if (failures > 0)
    return warning(
      `task ${name}`,
      failures === 1 ? "the last round failed" : `${failures} rounds in a row failed`,
      `tributary rounds ${name} shows why.`,
    );
  if (checkedIn > 0 || task.round?.endedAt === null) return undefined;
  const reasons = Object.entries(ineligible).map(([why, count]) => `${why} ${count}`);
  return warning(
    `task ${name}`,
    reasons.length === 0 ? "no device is willing" : `no device is asked: ${reasons.join(", ")}`,
    "Devices need the consent of their users, an origin that serve allows, and the population of the task.",
  );
}
