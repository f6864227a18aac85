import { encodeHex, failure, toFailure, TributaryError, type Env, type Timer } from "@tributary/core";
import {
  parseNotificationChannel,
  type AuditActor,
  type DeliveryList,
  type DeliveryView,
  type Notification,
  type NotificationChannelView,
} from "@tributary/protocol";
import { LISTS } from "../pages/lists.ts";
import type { PageAsked } from "../pages/read-page.ts";
import type { MetadataRepositories, MetadataStore } from "../ports/metadata-store.ts";
import type { DeliveryRecord, NotificationChannelRecord } from "../ports/alert-records.ts";
import { optionalTimestamp, timestamp } from "../registry/views.ts";
import { SerialQueue } from "../rounds/serial-queue.ts";
import { channelRemoved, channelSet, channelTested } from "./notify-records.ts";
import { isTold, notificationOf, type Notice } from "./notices.ts";
import { withoutSecrets } from "./secrets.ts";
import { checkDestination, hostOf, send, type SendingContext } from "./send.ts";

export const MAX_NOTIFICATION_CHANNELS = 50;
/** Of one channel, waiting to be sent. */
export const MAX_QUEUED = 200;
/** Of one channel, sent or given up. */
const DELIVERIES_KEPT = 100;
/** Tries of one notification, and the pauses between them. */
export const MAX_ATTEMPTS = 10;
const FIRST_PAUSE_MS = 10_000;
const MAX_PAUSE_MS = 3_600_000;

export interface NotifierContext {
  readonly env: Env;
  readonly store: MetadataStore;
  readonly sending: Omit<SendingContext, "clock">;
  /** The coordinator's name, and where its dashboard is. */
  readonly name: string;
  readonly url: () => string | null;
}

/** Tells alerts elsewhere: channels, the queue of what is to be told, and who sends it. */
export interface Notifier {
  channels(): Promise<NotificationChannelView[]>;
  /** @throws `coordinator/unknown-notification-channel` */
  channel(name: string): Promise<NotificationChannelView>;
  /** @throws `protocol/invalid-document`, `coordinator/too-many-notification-channels`, `notify/host-refused`, `notify/address-refused` */
  setChannel(name: string, document: unknown, by: AuditActor): Promise<NotificationChannelView>;
  /** @throws `coordinator/unknown-notification-channel` */
  removeChannel(name: string, by: AuditActor): Promise<void>;
  /** Sends a notification that says it is a test, at once. @throws as `channel` */
  test(name: string, by: AuditActor): Promise<DeliveryView>;
  /** Newest first. @throws as `channel`, `http/invalid-cursor` */
  deliveries(name: string, asked: PageAsked): Promise<DeliveryList>;
  /**
   * Queues a notice for the channels that are told of it, in the transaction that stores that it is told.
   *
   * @returns whether any is
   */
  enqueue(
    tx: MetadataRepositories,
    rule: string,
    notice: Pick<Notice, "status" | "alerts">,
  ): Promise<boolean>;
  /** Something was queued. */
  wake(): void;
  /** Goes on with what was queued before. */
  begin(): void;
  /** Sends what is due now; resolves when it is settled. */
  work(): Promise<void>;
  close(): Promise<void>;
}

export function createNotifier(context: NotifierContext): Notifier {
  const { env, store, name: coordinator } = context;
  const { clock, random, log } = env;
  const sending: SendingContext = { ...context.sending, clock };
  const queue = new SerialQueue();
  const ending = new AbortController();
  let timer: Timer | undefined;
  let closed = false;

  const newId = (): string => encodeHex(random.bytes(16));

  const recordOf = async (name: string): Promise<NotificationChannelRecord> => {
    const record = await store.notificationChannels.get(name);
    if (record !== undefined) return record;
    throw failure("coordinator/unknown-notification-channel", `notify: no channel "${name}"`, {
      detail: { channel: name },
    });
  };

  const viewOf = async (record: NotificationChannelRecord): Promise<NotificationChannelView> => {
    const { channel } = record;
    const log = await store.deliveries.list(channel.name, { limit: DELIVERIES_KEPT });
    const queued = await store.deliveries.queued(channel.name);
    const failed = [...queued, ...log].find(({ lastError }) => lastError !== null);
    const delivered = log.find(({ state }) => state === "delivered");
    const at = failed?.endedAt ?? failed?.createdAt;
    let host: string | null = null;
    let problem: string | null = null;
    try {
      host = await hostOf(sending, record);
    } catch (error) {
      problem = toFailure(error).message;
    }
    return {
      ...channel,
      host,
      problem,
      queued: queued.length,
      lastDeliveredAt: optionalTimestamp(delivered?.endedAt ?? null),
      lastError:
        failed?.lastError === null || failed?.lastError === undefined || at === undefined
          ? null
          : { message: failed.lastError, at: timestamp(at) },
    };
  };

  /** One attempt, and what is stored of it. */
  const attempt = async (delivery: DeliveryRecord): Promise<DeliveryRecord> => {
    const attempts = delivery.attempts + 1;
    const record = await store.notificationChannels.get(delivery.channel);
    const now = (): number => clock.now();
    if (record === undefined || (!record.channel.enabled && delivery.notification.purpose !== "test"))
      return { ...delivery, state: "dropped", nextAt: null, endedAt: now() };
    try {
      await send(sending, record, delivery.notification, ending.signal);
      return {
        ...delivery,
        attempts,
        state: "delivered",
        nextAt: null,
        endedAt: now(),
        lastError: null,
      };
    } catch (error) {
      // The process ends: it is tried again by the next one.
      if (closed) return delivery;
      const coded = toFailure(error);
      const lastError = coded.message.replace(/^notify: /, "").slice(0, 300);
      const mayHelp = coded.code === "notify/not-delivered" || coded.code === "notify/unknown-host";
      const again = mayHelp && attempts < MAX_ATTEMPTS && delivery.notification.purpose !== "test";
      log.warn("notify: not delivered", {
        channel: delivery.channel,
        code: coded.code,
        attempts,
        again,
      });
      return again
        ? { ...delivery, attempts, nextAt: now() + pauseMs(attempts, coded), lastError }
        : { ...delivery, attempts, state: "failed", nextAt: null, endedAt: now(), lastError };
    }
  };

  /** Twice as long each time, with half of it drawn, so that what failed together is not tried together. */
  const pauseMs = (attempts: number, error: TributaryError): number => {
    const most = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempts - 1));
    const share = new DataView(random.bytes(4).buffer).getUint32(0) / 2 ** 32;
    const { retryAfterMs } = error.detail;
    const asked = typeof retryAfterMs === "number" ? Math.min(retryAfterMs, MAX_PAUSE_MS) : 0;
    return Math.max(asked, Math.ceil(most / 2 + (most / 2) * share));
  };

  const work = async (): Promise<void> => {
    const waiting = await store.deliveries.queued();
    const due = waiting.filter(({ nextAt }) => (nextAt ?? 0) <= clock.now());
    // One that does not answer holds up its own channel alone.
    const byChannel = Map.groupBy(due, ({ channel }) => channel);
    await Promise.all(
      Array.from(byChannel, async ([channel, deliveries]) => {
        for (const delivery of deliveries) {
          if (closed) return;
          const after = await attempt(delivery);
          if (after === delivery) return;
          await store.deliveries.update(after);
          if (after.state === "queued") break;
        }
        await store.deliveries.prune(channel, DELIVERIES_KEPT);
      }),
    );
  };

  const run = (): Promise<void> =>
    queue
      .run(async () => {
        if (!closed) await work();
      })
      .catch((error: unknown) => {
        if (!closed) log.error("notify: the queue could not be worked off", { error });
      })
      .then(later);

  const later = async (): Promise<void> => {
    timer?.cancel();
    timer = undefined;
    if (closed) return;
    const waiting = await store.deliveries.queued().catch(() => []);
    if (waiting.length === 0 || closed) return;
    const next = Math.min(...waiting.map(({ nextAt }) => nextAt ?? 0));
    timer = clock.schedule(Math.max(1_000, next - clock.now()), () => void run());
  };

  const queueOf = async (
    tx: MetadataRepositories,
    channel: string,
    notification: Notification,
  ): Promise<DeliveryRecord> => {
    const now = clock.now();
    const [oldest, ...others] = await tx.deliveries.queued(channel);
    if (oldest !== undefined && others.length + 1 >= MAX_QUEUED)
      await tx.deliveries.update({
        ...oldest,
        state: "dropped",
        nextAt: null,
        endedAt: now,
        lastError: oldest.lastError ?? "the queue was full",
      });
    return tx.deliveries.insert({
      id: notification.id,
      channel,
      notification,
      state: "queued",
      attempts: 0,
      createdAt: now,
      nextAt: now,
      endedAt: null,
      lastError: null,
    });
  };

  return {
    async channels() {
      const views: NotificationChannelView[] = [];
      for (const record of await store.notificationChannels.list()) views.push(await viewOf(record));
      return views;
    },
    channel: async (name) => viewOf(await recordOf(name)),
    async setChannel(name, document, by) {
      const named = typeof document === "object" && document !== null ? { name, ...document } : document;
      const channel = parseNotificationChannel(named);
      if (channel.name !== name)
        throw failure("protocol/invalid-document", `notify: the document is of "${channel.name}"`, {
          detail: {
            document: "notification channel",
            path: "/name",
            problem: `must be "${name}" as in the address`,
          },
        });
      const before = await store.notificationChannels.get(name);
      const { target, secrets } = withoutSecrets(channel.target, before);
      const changedAt = clock.now();
      const record: NotificationChannelRecord = { channel: { ...channel, target }, secrets, changedAt };
      await requireDestination(record);
      await store.transaction(async (tx) => {
        const others = (await tx.notificationChannels.list()).filter((each) => each.channel.name !== name);
        if (others.length >= MAX_NOTIFICATION_CHANNELS)
          throw failure(
            "coordinator/too-many-notification-channels",
            `notify: there are ${others.length} channels`,
            { detail: { maxChannels: MAX_NOTIFICATION_CHANNELS } },
          );
        await tx.notificationChannels.put(record);
        await tx.audit.append([channelSet(by, record.channel)], changedAt);
      });
      log.info("notify: channel set", { channel: name, kind: target.kind });
      return viewOf(record);
    },
    async removeChannel(name, by) {
      await store.transaction(async (tx) => {
        if (!(await tx.notificationChannels.remove(name)))
          throw failure("coordinator/unknown-notification-channel", `notify: no channel "${name}"`, {
            detail: { channel: name },
          });
        const endedAt = clock.now();
        for (const delivery of await tx.deliveries.queued(name))
          await tx.deliveries.update({ ...delivery, state: "dropped", nextAt: null, endedAt });
        await tx.audit.append([channelRemoved(by, name)], endedAt);
      });
      log.info("notify: channel removed", { channel: name });
    },
    async test(name, by) {
      const record = await recordOf(name);
      const now = clock.now();
      const notification: Notification = {
        ...notificationOf(
          "test",
          { status: "firing", alerts: [] },
          { id: newId(), coordinator, url: context.url(), now },
        ),
        purpose: "test",
        summary: `This is a test of the channel ${name}: alerts of ${coordinator} arrive here.`,
      };
      const queued = await store.transaction(async (tx) => {
        await tx.audit.append([channelTested(by, record.channel)], now);
        return queueOf(tx, name, notification);
      });
      await queue.run(async () => {
        if (closed) throw failure("core/closed", "notify: closed");
        await store.deliveries.update(await attempt(queued));
        await store.deliveries.prune(name, DELIVERIES_KEPT);
      });
      const [sent] = (await store.deliveries.list(name, { limit: 20 })).filter(({ id }) => id === queued.id);
      return deliveryView(sent ?? queued);
    },
    async deliveries(name, asked) {
      await recordOf(name);
      const { rows, next } = await LISTS.deliveries(asked, (page) => store.deliveries.list(name, page));
      return { deliveries: rows.map(deliveryView), next };
    },
    async enqueue(tx, rule, notice) {
      let any = false;
      for (const record of await tx.notificationChannels.list()) {
        if (!isTold(record, rule, notice)) continue;
        any = true;
        const more = { id: newId(), coordinator, url: context.url(), now: clock.now() };
        await queueOf(tx, record.channel.name, notificationOf(rule, notice, more));
      }
      return any;
    },
    wake: () => void run(),
    begin: () => void run(),
    work: () => queue.run(work),
    async close() {
      closed = true;
      timer?.cancel();
      ending.abort();
      await queue.idle();
    },
  };

  /** What is refused by the process's own rules is said when the channel is made; that a name is unknown just now is not. */
  async function requireDestination(record: NotificationChannelRecord): Promise<void> {
    try {
      await checkDestination(sending, record);
    } catch (error) {
      if (TributaryError.is(error) && ["notify/unknown-host", "notify/secret-missing"].includes(error.code))
        return;
      throw error;
    }
  }
}

function deliveryView(record: DeliveryRecord): DeliveryView {
  const { id, channel, notification, state, attempts, createdAt, nextAt, endedAt, lastError } = record;
  return {
    id,
    channel,
    purpose: notification.purpose,
    summary: notification.summary,
    state,
    attempts,
    createdAt: timestamp(createdAt),
    nextAt: optionalTimestamp(nextAt),
    endedAt: optionalTimestamp(endedAt),
    lastError,
  };
}
