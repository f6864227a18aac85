import { failure } from "@tributary/core";
import type { Erasure, Trust } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";

export interface ForgetAgentOptions {
  readonly coordinator: string;
  readonly trust: Trust;
  readonly dataDir: string;
  readonly population: string;
  /** Erase nothing while the coordinator cannot be told. */
  readonly requireCoordinator: boolean;
}

/**
 * Erases what a device's folder holds of a person, and the coordinator's record of the device. Models stay.
 *
 * @throws `runtime/locked` while the device runs, and what `runtime.forget()` throws
 */
export async function forgetAgent(options: ForgetAgentOptions): Promise<Erasure> {
  const { requireCoordinator, ...device } = options;
  await using runtime = await createRuntime({
    ...device,
    software: "tributary-agent",
    // It goes by the certificate that it has, and is not enrolled to be forgotten.
    token: () => {
      throw failure("identity/enrolment-failed", "forget: the device is not enrolled anew");
    },
  });
  return await runtime.forget({ requireCoordinator });
}

/** For people. */
export function erasureLines(erasure: Erasure): readonly string[] {
  const { examples, learned, keys, settings, deviceId, coordinator } = erasure;
  return [
    ...examples.map(
      ({ model, count, sizeBytes }) =>
        `erased ${count ?? "unreadable"} examples of ${model}, ${sizeBytes} bytes`,
    ),
    ...learned.map(({ name, sizeBytes }) => `erased ${name}, ${sizeBytes} bytes`),
    ...keys.map(
      (key) => `erased the key of ${key === "device" ? `device ${deviceId ?? "?"}` : "the examples"}`,
    ),
    ...(settings.length === 0 ? [] : [`erased ${settings.length} settings: ${settings.join(", ")}`]),
    coordinatorLine(coordinator),
  ];
}

function coordinatorLine(coordinator: Erasure["coordinator"]): string {
  switch (coordinator.record) {
    case "erased":
      return "the coordinator erased its record of the device";
    case "none":
      return "the coordinator has no record of the device";
    case "unreachable":
      return `the coordinator was not told (${coordinator.code}): its record counts as no device within a week`;
  }
}
