import { failure, type Clock, type Logger, type SecureRandom, type TaskName } from "@tributary/core";
import { DeviceIdSchema, SuspicionList, SuspicionView, TaskNameSchema } from "@tributary/protocol";
import Type from "typebox";
import { actorOf } from "../../access/principal.ts";
import { auditedDevice } from "../../audit/actors.ts";
import type { App } from "../../http/app.ts";
import type { Bus } from "../../ports/bus.ts";
import type { MetadataStore } from "../../ports/metadata-store.ts";
import { suspicionEvent, suspicionView } from "../../registry/views.ts";
import { publishEvents } from "../commit-round.ts";

export interface SuspicionRouteOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: SecureRandom;
  readonly store: MetadataStore;
  readonly bus: Pick<Bus, "publish" | "subscribe">;
}

const tags = ["operator"];
const taskParams = Type.Object({ task: TaskNameSchema });
const deviceParams = Type.Object({ task: TaskNameSchema, device: DeviceIdSchema });

/** Who is suspected of making secure sums fail, and letting a device go. */
export function registerSuspicionRoutes(
  app: App,
  { clock, log, random, store, bus }: SuspicionRouteOptions,
): void {
  const requireTask = async (task: TaskName): Promise<void> => {
    if ((await store.tasks.get(task)) !== undefined) return;
    throw failure("coordinator/unknown-task", `http: no task "${task}"`, { detail: { task } });
  };

  app.get(
    "/v1/tasks/:task/suspicions",
    {
      schema: {
        summary: "Devices in secure cohorts whose sums failed: the quarantined, then the most suspected",
        tags,
        params: taskParams,
        response: { 200: SuspicionList },
      },
    },
    async ({ params: { task } }) => {
      await requireTask(task);
      return { suspicions: (await store.suspicions.list(task)).map((record) => suspicionView(record)) };
    },
  );

  app.delete(
    "/v1/tasks/:task/suspicions/:device",
    {
      schema: {
        summary: "Release a device: it takes part again, and is not suspected",
        tags,
        security: [{ operator: [] }],
        params: deviceParams,
        response: { 200: SuspicionView },
      },
    },
    async (request) => {
      const { task, device } = request.params;
      await requireTask(task);
      const at = clock.now();
      const { record, events } = await store.transaction(async (tx) => {
        const found = await tx.suspicions.get(task, device);
        if (found === undefined) {
          throw failure("http/not-found", `http: device ${device} is not suspected in task "${task}"`, {
            detail: { task, device },
          });
        }
        await tx.suspicions.remove(task, [device]);
        const released = { ...found, at };
        await tx.audit.append(
          [
            {
              actor: actorOf(request),
              action: "device.release",
              object: { task, device: await auditedDevice(tx.audit, device, random) },
              detail: { was: found.state, points: found.points },
            },
          ],
          at,
        );
        return {
          record: released,
          events: await tx.events.append([suspicionEvent(released, "released")], at),
        };
      });
      log.info("device released from suspicion", { task, device });
      await publishEvents({ bus }, events);
      await bus.publish("task", { task });
      return suspicionView(record, "released");
    },
  );
}
