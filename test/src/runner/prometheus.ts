import { spawnSync } from "node:child_process";
import { installDebianPackage } from "./debian-package.ts";

/** Whether Prometheus and its promtool are on the PATH. */
export function hasPrometheus(): boolean {
  return ["prometheus", "promtool"].every((name) => spawnSync(name, ["--version"]).status === 0);
}

/** Installs Debian's package where the caller allows it and it is not there. Without it, its test says why it skips. */
export function ensurePrometheus({ allowApt }: { readonly allowApt: boolean }): void {
  if (allowApt && !hasPrometheus()) installDebianPackage("prometheus");
}
