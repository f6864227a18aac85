import type { InstalledFile } from "../store/device-store.ts";

/** Where a version's choice of engine is kept: it holds for its graph and weights. */
export function engineSetting(files: readonly InstalledFile[]): string {
  return `engine/${files
    .slice(0, 2)
    .map(({ digest }) => digest)
    .join("+")}`;
}

/** Where a version's choice of form is kept: it holds for its graph, its weights and the forms that it was made of. */
export function formSetting(files: readonly InstalledFile[]): string {
  return `form/${files
    .slice(0, 2)
    .map(({ digest }) => digest.slice(0, 16))
    .join("+")}`;
}
