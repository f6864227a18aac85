import { createHmac, timingSafeEqual } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Notification } from "@tributary/protocol";
import { SMTPServer } from "smtp-server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OPERATOR_BY_HTTP } from "../operator.ts";
import { GROUP_WAIT_MS } from "../../src/notify/notices.ts";
import { MAX_ATTEMPTS, MAX_QUEUED } from "../../src/notify/notifier.ts";
import { codeOf } from "../../src/testing/index.ts";
import { openAlertsRoom, type AlertsRoom } from "../alerts/alerts-room.ts";
import { LOCALHOST_CERTIFICATE, LOCALHOST_KEY } from "./localhost-certificate.ts";
import { openReceiver } from "./receiver.ts";

const HOUR = 3_600_000;
let room: AlertsRoom;
let receiver: Awaited<ReturnType<typeof openReceiver>>;

beforeEach(async () => {
  receiver = await openReceiver();
  room = await openAlertsRoom({ ca: LOCALHOST_CERTIFICATE });
});
afterEach(async () => {
  await room.dispose();
  await receiver.close();
});

const deliveries = async (limit: number) => (await room.notifier.deliveries("ops", { limit })).deliveries;
const set = (name: string, document: object) => room.notifier.setChannel(name, document, OPERATOR_BY_HTTP);
const webhook = (more: object = {}) => ({
  target: { kind: "webhook", url: { value: receiver.url }, secret: { value: "shared-secret" }, ...more },
});

/** Something fires at once. */
async function fire(): Promise<void> {
  room.signals.problem = { code: "store/quota-exceeded", since: 0 };
  await room.alerts.setRule(
    "storage-problem",
    { kind: "storage-problem", severity: "critical" },
    OPERATOR_BY_HTTP,
  );
}

/** The group has waited, and what is queued is sent. */
async function told(afterMs = GROUP_WAIT_MS): Promise<void> {
  await room.look(afterMs);
  await room.notifier.work();
}

const bodies = (): Notification[] => receiver.received.map(({ body }) => JSON.parse(body) as Notification);

describe("webhooks", () => {
  test("what fires and what resolves arrives, signed, once each, and again while nobody has seen it", async () => {
    await set("ops", webhook());
    await fire();
    await told(0);
    expect(receiver.received).toEqual([]);
    await told();
    expect(bodies()).toMatchObject([
      {
        formatVersion: 1,
        purpose: "alert",
        status: "firing",
        coordinator: "here",
        url: "https://fl.example",
        rule: "storage-problem",
        severity: "critical",
        alerts: [{ rule: "storage-problem", state: "firing" }],
        more: 0,
      },
    ]);
    const { body, headers, path } = receiver.received[0]!;
    expect(path).toBe("/hook?token=hidden-token");
    expect(headers["tributary-delivery"]).toBe(bodies()[0]!.id);
    const [, seconds = "", signature = ""] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(
      String(headers["tributary-signature"]),
    )!;
    const expected = createHmac("sha256", "shared-secret").update(`${seconds}.${body}`).digest();
    expect(timingSafeEqual(expected, Buffer.from(signature, "hex"))).toBe(true);
    expect(Number(seconds)).toBe(Math.floor(room.clock.now() / 1_000));
    await told(HOUR);
    expect(receiver.received).toHaveLength(1);
    await told(3 * HOUR);
    expect(receiver.received).toHaveLength(2);
    room.signals.problem = null;
    await told(0);
    expect(bodies()[2]).toMatchObject({ status: "resolved", alerts: [{ state: "resolved" }] });
    await told(24 * HOUR);
    expect(receiver.received).toHaveLength(3);
    expect((await room.notifier.channel("ops")).lastDeliveredAt).not.toBeNull();
  });

  test("what is not taken is tried again, later each time, also by the next process, and then given up", async () => {
    receiver.answers.push({ status: 503 });
    await set("ops", webhook());
    await fire();
    await told();
    const [delivery] = await deliveries(9);
    expect(delivery).toMatchObject({
      state: "queued",
      attempts: 1,
      lastError: expect.stringContaining("503"),
    });
    await room.restart();
    await room.notifier.work();
    // It is not due yet.
    expect(receiver.received).toHaveLength(1);
    let pauses = 0;
    for (let attempts = 2; attempts <= MAX_ATTEMPTS; attempts++) {
      const [{ nextAt } = { nextAt: null }] = await deliveries(1);
      const pause = Date.parse(nextAt!) - room.clock.now();
      expect(pause).toBeGreaterThanOrEqual(Math.min(5_000 * 2 ** (attempts - 2), 1_800_000));
      pauses += pause;
      room.clock.advance(pause);
      await room.notifier.work();
      expect(receiver.received).toHaveLength(attempts);
    }
    expect(pauses).toBeLessThan(6 * HOUR);
    expect(await deliveries(9)).toMatchObject([{ state: "failed", attempts: MAX_ATTEMPTS, nextAt: null }]);
    expect(new Set(receiver.received.map(({ headers }) => headers["tributary-delivery"])).size).toBe(1);
    expect((await room.notifier.channel("ops")).lastError?.message).toMatch(/503/);
  });

  test("a receiver says when, refuses for good, and leads nowhere else", async () => {
    await set("ops", webhook());
    receiver.answers.push({ status: 429, headers: { "retry-after": "1200" } });
    await fire();
    await told();
    const [{ nextAt } = { nextAt: null }] = await deliveries(1);
    expect(Date.parse(nextAt!) - room.clock.now()).toBeGreaterThanOrEqual(1_200_000);
    receiver.answers.splice(0, 9, { status: 302, headers: { location: receiver.url } });
    expect(await room.notifier.test("ops", OPERATOR_BY_HTTP)).toMatchObject({ state: "failed", attempts: 1 });
    receiver.answers.splice(0, 9, { status: 404 });
    expect(await room.notifier.test("ops", OPERATOR_BY_HTTP)).toMatchObject({
      purpose: "test",
      state: "failed",
      lastError: expect.stringContaining("404"),
    });
    expect(receiver.received).toHaveLength(3);
    receiver.answers.splice(0, 9, { status: 204 });
    expect(await room.notifier.test("ops", OPERATOR_BY_HTTP)).toMatchObject({
      state: "delivered",
      lastError: null,
    });
    expect(bodies().at(-1)).toMatchObject({ purpose: "test", alerts: [] });
  });

  test("the queue of a channel is bounded, and a channel that goes takes it along", async () => {
    await set("ops", webhook());
    await fire();
    const alerts = await room.store.alerts.open();
    for (let i = 0; i < MAX_QUEUED + 3; i++)
      await room.store.transaction((tx) =>
        room.notifier.enqueue(tx, "storage-problem", { status: "firing", alerts }),
      );
    expect(await room.store.deliveries.queued("ops")).toHaveLength(MAX_QUEUED);
    const all = await deliveries(300);
    expect(all.filter(({ state }) => state === "dropped").map(({ lastError }) => lastError)).toEqual(
      Array.from({ length: 3 }, () => "the queue was full"),
    );
    await room.notifier.removeChannel("ops", OPERATOR_BY_HTTP);
    expect(await room.store.deliveries.queued()).toEqual([]);
    expect(await codeOf(room.notifier.channel("ops"))).toBe("coordinator/unknown-notification-channel");
  });

  test("secrets are nowhere but where they were put, and stay where they are not given anew", async () => {
    const view = await set("ops", webhook());
    expect(view.target).toEqual({ kind: "webhook", url: { stored: true }, secret: { stored: true } });
    expect(view.host).toBe(`127.0.0.1:${receiver.port}`);
    const kept = await set("ops", { enabled: false, target: view.target });
    expect(kept).toMatchObject({ enabled: false, target: view.target });
    await set("ops", { target: view.target });
    expect(await room.notifier.test("ops", OPERATOR_BY_HTTP)).toMatchObject({ state: "delivered" });
    const said = JSON.stringify([
      await room.notifier.channels(),
      await deliveries(9),
      await room.store.audit.read(0, 99),
      room.events,
    ]);
    expect(said).not.toMatch(/hidden-token|shared-secret/);
    const other = { target: { kind: "slack", url: { value: receiver.url } } };
    await set("chat", other);
    expect(await codeOf(set("new", { target: view.target }))).toBe("protocol/invalid-document");
    await expect(set("chat", { target: { kind: "slack", url: { value: "no url" } } })).rejects.toMatchObject({
      detail: { path: "/target/url" },
    });
  });

  test("secrets are read from the folder or the environment that the process was given, when they are needed", async () => {
    await set("ops", webhook({ url: { file: "ops-url" }, secret: null }));
    expect(await room.notifier.channel("ops")).toMatchObject({
      host: null,
      problem: expect.stringContaining("the file ops-url"),
    });
    expect(await room.notifier.test("ops", OPERATOR_BY_HTTP)).toMatchObject({ state: "failed" });
    await writeFile(join(room.folder, "ops-url"), `${receiver.url}\n`);
    expect(await room.notifier.test("ops", OPERATOR_BY_HTTP)).toMatchObject({ state: "delivered" });
    expect(receiver.received[0]?.headers["tributary-signature"]).toBeUndefined();
    for (const url of [{ file: "../operator-token" }, { env: "PATH" }, { file: "" }])
      expect(await codeOf(set("ops", webhook({ url })))).toBe("protocol/invalid-document");
    await set("ops", webhook({ url: { env: "TRIBUTARY_NOTIFY_URL" } }));
    expect((await room.notifier.channel("ops")).problem).toMatch(/TRIBUTARY_NOTIFY_URL/);
  });

  test("where the process allows nothing, nothing is made that leads there", async () => {
    const closed = await openAlertsRoom({ rules: { allowHosts: [], allowPrivate: false } });
    const made = closed.notifier.setChannel("ops", webhook(), OPERATOR_BY_HTTP);
    expect(await codeOf(made)).toBe("notify/host-refused");
    await closed.dispose();
    const publicOnly = await openAlertsRoom({ rules: { allowHosts: ["*"], allowPrivate: false } });
    const inside = publicOnly.notifier.setChannel("ops", webhook(), OPERATOR_BY_HTTP);
    expect(await codeOf(inside)).toBe("notify/address-refused");
    await publicOnly.dispose();
    expect(receiver.received).toEqual([]);
  });
});

test("a chat gets blocks in which nothing of an alert is markup", async () => {
  await set("chat", { target: { kind: "slack", url: { value: receiver.url } } });
  await room.alerts.setRule(
    "mine",
    { kind: "disk-almost-full", threshold: 1, advice: "ask <!channel> & wait" },
    OPERATOR_BY_HTTP,
  );
  await told();
  const message = JSON.parse(receiver.received[0]!.body) as {
    readonly text: string;
    readonly blocks: readonly { readonly type: string; readonly text?: { readonly text: string } }[];
  };
  expect(message.text).toMatch(/^\[firing\] 50 % of the data directory's file system is free/);
  expect(message.blocks.map(({ type }) => type)).toEqual(["section", "section", "context"]);
  expect(message.blocks[1]?.text?.text).toContain("ask &lt;!channel&gt; &amp; wait");
  expect(receiver.received[0]?.body).not.toContain("<!channel>");
});

describe("mail", () => {
  interface Mail {
    readonly from: string;
    readonly to: readonly string[];
    readonly user: unknown;
    readonly secure: boolean;
    readonly text: string;
  }

  async function openMailServer(options: { readonly starttls: boolean }) {
    const mails: Mail[] = [];
    const server = new SMTPServer({
      key: LOCALHOST_KEY,
      cert: LOCALHOST_CERTIFICATE,
      hideSTARTTLS: !options.starttls,
      disabledCommands: options.starttls ? [] : ["STARTTLS"],
      authOptional: true,
      allowInsecureAuth: true,
      logger: false,
      onAuth: ({ username, password }, _, callback) =>
        password === "mail-secret" ? callback(null, { user: username }) : callback(new Error("no")),
      onData(stream, session, callback) {
        let text = "";
        stream.on("data", (chunk: Buffer) => void (text += chunk.toString("utf8")));
        stream.on("end", () => {
          const { mailFrom, rcptTo } = session.envelope;
          mails.push({
            from: mailFrom === false ? "" : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            user: session.user,
            secure: session.secure,
            text,
          });
          callback();
        });
      },
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    const { port } = server.server.address() as AddressInfo;
    return { mails, port, close: () => new Promise<void>((resolve) => server.close(() => resolve())) };
  }

  const email = (port: number, more: object = {}) => ({
    target: {
      kind: "email",
      host: "localhost",
      port,
      from: "alerts@fl.example",
      to: ["ops@fl.example", "night@fl.example"],
      ...more,
    },
  });

  test("goes over STARTTLS with a password, says what is wrong, and a wrong password is no secret told", async () => {
    const server = await openMailServer({ starttls: true });
    const login = { user: "ops", password: { value: "mail-secret" } };
    expect(await set("mail", email(server.port, login))).toMatchObject({
      host: `localhost:${server.port}`,
      target: { security: "starttls", user: "ops", password: { stored: true } },
    });
    await fire();
    await told();
    expect(server.mails).toMatchObject([
      { from: "alerts@fl.example", to: ["ops@fl.example", "night@fl.example"], user: "ops", secure: true },
    ]);
    expect(server.mails[0]?.text).toMatch(/^Subject: \[firing\] The coordinator can write nothing/m);
    expect(server.mails[0]?.text).toMatch(
      /CRITICAL, firing: The coordinator can write nothing: store\/quota-exceeded/,
    );
    await set("mail", email(server.port, { user: "ops", password: { value: "wrong-secret" } }));
    const refused = await room.notifier.test("mail", OPERATOR_BY_HTTP);
    expect(refused).toMatchObject({ state: "failed", lastError: expect.stringContaining("EAUTH") });
    expect(
      JSON.stringify([refused, await room.notifier.channels(), await room.store.audit.read(0, 99)]),
    ).not.toMatch(/mail-secret|wrong-secret/);
    await server.close();
  });

  test("is not sent in the clear unless that was said", async () => {
    const server = await openMailServer({ starttls: false });
    await set("mail", email(server.port));
    expect(await room.notifier.test("mail", OPERATOR_BY_HTTP)).toMatchObject({ state: "failed" });
    expect(server.mails).toEqual([]);
    await set("mail", email(server.port, { security: "none" }));
    expect(await room.notifier.test("mail", OPERATOR_BY_HTTP)).toMatchObject({ state: "delivered" });
    expect(server.mails).toMatchObject([{ secure: false }]);
    await server.close();
  });
});

test("what operators wrote is in the database, and a channel's record says what kind it is", async () => {
  await set("ops", webhook());
  const records = await room.store.audit.list({ action: "notification-channel.set" }, { limit: 1 });
  expect(records).toMatchObject([
    { object: { notificationChannel: "ops" }, detail: { kind: "webhook", enabled: true } },
  ]);
  await room.store.checkpoint();
  expect((await readFile(join(room.folder, "tributary.db"))).includes("hidden-token")).toBe(true);
});
