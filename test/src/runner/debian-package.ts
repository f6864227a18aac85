import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Installs a package of Debian's, for root on Debian; elsewhere nothing happens. */
export function installDebianPackage(name: string): void {
  if (process.getuid?.() !== 0 || !existsSync("/etc/debian_version")) return;
  for (const args of [["update"], ["install", "-y", "--no-install-recommends", name]]) {
    console.error(`Running \`apt-get ${args.join(" ")}\`.`);
    const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    spawnSync("apt-get", ["-q", ...args], { stdio: ["ignore", 2, 2], env: environment });
  }
}
