import { isDigest } from "@tributary/core";
import type { InstalledFile, SettingStore } from "../store/device-store.ts";

const PREFIX = "training:base:";

/** Under which it is kept with which weights of a model the device last trained. */
export function baseWeightsSetting(model: string): string {
  return `${PREFIX}${model}`;
}

export function isBaseWeightsSetting(key: string): boolean {
  return key.startsWith(PREFIX);
}

/** Undefined where none are kept, or the entry is damaged. */
export async function readBaseWeights(
  settings: Pick<SettingStore, "read">,
  model: string,
): Promise<InstalledFile | undefined> {
  const value = (await settings.read(baseWeightsSetting(model))) as Partial<InstalledFile> | undefined | null;
  const { target, digest, sizeBytes } = value ?? {};
  const isFile = typeof target === "string" && typeof sizeBytes === "number" && isDigest(digest);
  return isFile ? { target, digest, sizeBytes } : undefined;
}

/** Of all models. */
export async function keptBaseWeights(
  settings: Pick<SettingStore, "read" | "keys">,
): Promise<readonly InstalledFile[]> {
  const models = (await settings.keys()).filter(isBaseWeightsSetting);
  const files = await Promise.all(models.map((key) => readBaseWeights(settings, key.slice(PREFIX.length))));
  return files.filter((file) => file !== undefined);
}
