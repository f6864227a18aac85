import { readFileSync } from "node:fs";
import { BUILT_IN_ALERT_RULES, parseNotificationChannel, parsePolicy } from "@tributary/protocol";
import { expect, test } from "vitest";
import { webhookSignature } from "../../src/notify/signature.ts";

const guide = readFileSync(new URL("../../ALERTS.md", import.meta.url), "utf8");
const blocks = (language: string): string[] =>
  [...guide.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"))].map(([, code]) => code!);

test("the guide's check of a signature takes what is signed, and nothing else", async () => {
  const [code] = blocks("js");
  const module = (await import(`data:text/javascript,${encodeURIComponent(code!)}`)) as {
    readonly isFromTributary: (
      secret: string,
      header: string | undefined,
      body: string,
      nowMs?: number,
    ) => boolean;
  };
  const now = Date.UTC(2026, 0, 1);
  const body = '{"rule":"drift"}';
  const header = webhookSignature("secret", body, now);
  expect(module.isFromTributary("secret", header, body, now + 60_000)).toBe(true);
  expect(module.isFromTributary("secret", header, body, now + 301_000)).toBe(false);
  expect(module.isFromTributary("other", header, body, now)).toBe(false);
  expect(module.isFromTributary("secret", header, `${body} `, now)).toBe(false);
  expect(module.isFromTributary("secret", header.replace(/t=\d+/, `t=${now / 1_000 + 1}`), body, now)).toBe(
    false,
  );
  expect(module.isFromTributary("secret", undefined, body, now)).toBe(false);
});

test("the guide names each rule that is built in, and its channels are channels", () => {
  const named = [...guide.matchAll(/^\| `([a-z-]+)` +\|/gm)].map(([, name]) => name!);
  expect(named.toSorted()).toEqual(BUILT_IN_ALERT_RULES.map(({ name }) => name).toSorted());
  const rows = new Map(
    [...guide.matchAll(/^\| `([a-z-]+)` +\|.*\| (\w+) +\|$/gm)].map(([, name, severity]) => [name, severity]),
  );
  for (const { name, severity } of BUILT_IN_ALERT_RULES) expect(rows.get(name), name).toBe(severity);
  const documents = blocks("json").map((text) => parseNotificationChannel(JSON.parse(text)));
  expect(documents.map(({ target }) => target.kind)).toEqual(["webhook", "slack", "email"]);
  const policies = blocks("json policy").map((text) => parsePolicy(JSON.parse(text)));
  expect(policies.map(({ does }) => does.kind)).toEqual(["train-on-drift", "promote"]);
});
