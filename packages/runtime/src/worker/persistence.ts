/** Asks the browser to keep this site's storage: without it keys and examples may vanish when space is short. */
import type { Logger } from "@tributary/core";
import { isConsent } from "../consent.ts";
import type { Device } from "../device.ts";

/** The part of `navigator.storage` that is used. Pages have it, workers do not. */
export type StoragePersistence = Pick<StorageManager, "persist" | "persisted">;

/**
 * The same device; with the first consent to take part, or training for the device alone, the browser is asked to keep the storage. Once a page: some
 * browsers show the question. A refusal is no error, as storage that vanished is enrolled anew.
 */
export function withPersistence(
  device: Device,
  storage: Partial<StoragePersistence> | undefined,
  log: Logger,
): Device {
  let asked = false;
  const ask = async (): Promise<void> => {
    if (asked || storage?.persist === undefined) return;
    asked = true;
    try {
      if ((await storage.persisted?.()) === true) return;
      const kept = await storage.persist();
      log.info("asked the browser to keep the storage", { kept });
    } catch (error) {
      log.warn("the browser could not be asked to keep the storage", { error });
    }
  };
  return {
    ...device,
    async participate(request) {
      if (isConsent(request.consent)) void ask();
      await device.participate(request);
    },
    personal(...call) {
      if (call[1].kind === "train") void ask();
      return device.personal(...call);
    },
  };
}
