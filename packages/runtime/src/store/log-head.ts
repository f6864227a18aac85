import { failure, isDigest } from "@tributary/core";
import type { LogHead } from "@tributary/protocol";
import type { SettingStore } from "./device-store.ts";

const SETTING = "certificate-log:head";

/**
 * The newest head of the certificate log that this device saw signed; `undefined` where there is none.
 *
 * @throws `store/*`
 */
export async function readLogHead(settings: Pick<SettingStore, "read">): Promise<LogHead | undefined> {
  const stored = await settings.read(SETTING);
  if (stored === undefined || isLogHead(stored)) return stored;
  throw failure("store/corrupt", "certificate log: the head that was kept is none");
}

export function writeLogHead(settings: Pick<SettingStore, "write">, head: LogHead): Promise<void> {
  return settings.write(SETTING, head);
}

function isLogHead(value: unknown): value is LogHead {
  const { treeSize, rootHash } = (value ?? {}) as {
    readonly treeSize?: unknown;
    readonly rootHash?: unknown;
  };
  return Number.isSafeInteger(treeSize) && Number(treeSize) >= 0 && isDigest(rootHash);
}
