import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AlertRuleView, AlertView } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { afterAll, beforeAll, expect, test } from "vitest";
import { duration } from "../src/arguments.ts";
import { EXIT_CODES } from "../src/exit-codes.ts";
import { runMain } from "./run-main.ts";

let dataDir: string;
let coordinator: Coordinator;
let at: readonly string[];
let receiver: Server;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-alerts-"));
  receiver = createServer((request, response) => {
    request.resume();
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const notify = { allowHosts: ["127.0.0.1"], allowPrivate: true };
  coordinator = await createCoordinator({ dataDir, port: 0, notify });
  at = ["--url", coordinator.url, "--data-dir", dataDir];
});
afterAll(async () => {
  await coordinator?.close();
  receiver.close();
  await rm(dataDir, { recursive: true });
});

const json = async (...args: string[]): Promise<unknown> =>
  JSON.parse((await runMain("alerts", ...args, "--json", ...at)).stdout);

test("a rule is set from a file; what it finds is listed, shown, acknowledged and silenced", async () => {
  expect((await runMain("alerts", "list", "--rule", "space", ...at)).stdout).toBe("no alerts\n");
  const file = join(dataDir, "space.json");
  await writeFile(file, JSON.stringify({ name: "space", kind: "disk-almost-full", threshold: 1 }));
  expect(await json("rules", "set", file)).toMatchObject({ name: "space", origin: "own", state: "firing" });
  const { alerts } = (await json("list", "--rule", "space")) as { readonly alerts: readonly AlertView[] };
  const alert = String(alerts[0]!.id);
  expect((await runMain("alerts", "list", "--state", "firing", ...at)).stdout).toMatch(
    /^alert {2}state {3}severity .*\n.*firing {2}warning {3}space .*file system is free\n$/,
  );
  const acknowledged = await runMain("alerts", "ack", alert, "--comment", "more is coming", ...at);
  expect(acknowledged.stdout).toMatch(
    /warning, acknowledged, by the rule space\n.*acknowledged by token at .*: more is coming\n$/s,
  );
  expect(await json("ack", alert, "--undo")).toMatchObject({ acknowledgement: null });
  const silenced = ["silence", "--rule", "space", "--for", "2h", "--comment", "a test"];
  const { id } = (await json(...silenced)) as { readonly id: number };
  expect((await runMain("alerts", "show", alert, ...at)).stdout).toMatch(/silenced until/);
  expect((await runMain("alerts", "silences", ...at)).stdout).toMatch(/active .* rule space .* a test\n$/);
  expect((await runMain("alerts", "unsilence", String(id), ...at)).stdout).toBe(`silence ${id} has ended\n`);
  expect((await runMain("alerts", "silence", "--comment", "all", ...at)).code).toBe(EXIT_CODES.misuse);
  expect((await runMain("alerts", "show", "999", ...at)).code).toBe(EXIT_CODES.notFound);
});

test("rules are listed, disabled, enabled and removed; a document goes round", async () => {
  const listed = (await json("rules", "list")) as { readonly rules: readonly AlertRuleView[] };
  expect(listed.rules.map(({ name }) => name)).toContain("rounds-fail");
  expect(await json("rules", "disable", "push-slow")).toMatchObject({ origin: "changed", state: "disabled" });
  const shown = (await runMain("alerts", "rules", "show", "push-slow", ...at)).stdout;
  const file = join(dataDir, "push-slow.json");
  await writeFile(file, shown);
  expect(await json("rules", "set", file)).toMatchObject({ enabled: false, forMs: 900_000 });
  expect((await runMain("alerts", "rules", "enable", "push-slow", ...at)).stdout).toMatch(
    /push-slow {2}quiet {2}warning {3}60 seconds {2}15m {2}changed/,
  );
  expect((await runMain("alerts", "rules", "remove", "push-slow", ...at)).stdout).toBe(
    "rule push-slow was removed\n",
  );
  expect(await runMain("alerts", "rules", "remove", "push-slow", ...at)).toMatchObject({
    code: EXIT_CODES.failed,
    stderr: expect.stringContaining("built in and was not changed: there is nothing to remove"),
  });
  expect((await runMain("alerts", "rules", "remove", "night", ...at)).code).toBe(EXIT_CODES.notFound);
  await writeFile(file, JSON.stringify({ name: "x", kind: "drift", threshold: -1 }));
  expect((await runMain("alerts", "rules", "set", file, ...at)).stderr).toMatch(/\/threshold/);
});

test("a channel is set from a file, tried, logged and removed; another host is not allowed", async () => {
  const notify = (...args: string[]) => runMain("notify", ...args, ...at);
  expect((await notify("channels")).stdout).toBe("no channels: alerts are told to nobody\n");
  const file = join(dataDir, "ops.json");
  const { port } = receiver.address() as AddressInfo;
  const write = (url: string) =>
    writeFile(file, JSON.stringify({ name: "ops", target: { kind: "webhook", url: { value: url } } }));
  await write(`http://127.0.0.1:${port}/hidden`);
  expect((await notify("set", file)).stdout).toMatch(
    /ops +webhook {2}127\.0\.0\.1:\d+ {2}warning {2}all +ready {2}never\n$/,
  );
  expect(await notify("test", "ops")).toMatchObject({ code: EXIT_CODES.done, stdout: "ops took it\n" });
  expect((await notify("log", "ops")).stdout).toMatch(/delivered {6}1 {2}a test\n$/);
  expect((await notify("channels")).stdout).not.toContain("hidden");
  await write(`http://127.0.0.1:9/hidden`);
  await notify("set", file);
  expect(await notify("test", "ops")).toMatchObject({
    code: EXIT_CODES.failed,
    stdout: expect.stringMatching(/did not take it: .*ECONNREFUSED/),
  });
  await write("https://elsewhere.example/");
  expect(await notify("set", file)).toMatchObject({
    code: EXIT_CODES.notAllowed,
    stderr: expect.stringContaining("--notify-host"),
  });
  expect((await notify("remove", "ops")).code).toBe(EXIT_CODES.misuse);
  expect((await notify("remove", "ops", "--yes")).stdout).toBe("channel ops was removed\n");
  expect((await notify("test", "ops")).code).toBe(EXIT_CODES.notFound);
});

test("times are whole numbers of seconds, minutes, hours or days", () => {
  const parse = duration(60_000, 86_400_000);
  expect(["90s", "2m", "3h", "1d"].map(parse)).toEqual([90_000, 120_000, 10_800_000, 86_400_000]);
  for (const text of ["", "2", "h", "1s", "2d", "-1h", "1.5h"])
    expect(() => parse(text)).toThrow(/Expected a time/);
});
