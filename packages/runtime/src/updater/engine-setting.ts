import type { InstalledFile } from "../store/device-store.ts";

/** Where a version's choice of engine is kept. */
export function engineSetting(files: readonly InstalledFile[]): string {
  return `engine/${files.map(({ digest }) => digest).join("+")}`;
}
