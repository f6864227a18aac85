import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chromium } from "playwright";
import { installDebianPackage } from "./debian-package.ts";

const SYSTEM_PATHS = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** `CHROME_PATH`, a system Chromium, or Playwright's own; undefined when there is none. */
export function findChromium(): string | undefined {
  const candidates = [process.env.CHROME_PATH, ...SYSTEM_PATHS, chromium.executablePath()];
  return candidates.find((path) => path !== undefined && path !== "" && existsSync(path));
}

/**
 * Finds a Chromium, or gets one: Playwright's own first; where its host cannot be reached, the Debian package, and that
 * only for root on Debian when `CI` is set or the caller allowed it.
 */
export function ensureChromium(options: { readonly allowApt: boolean }): string | undefined {
  const found = findChromium();
  if (found !== undefined) return found;
  console.error("No Chromium found: running `playwright install chromium`.");
  spawnSync("playwright", ["install", "chromium"], {
    stdio: ["ignore", "inherit", "inherit"],
    timeout: 300_000,
  });
  const own = findChromium();
  if (own !== undefined) return own;
  if (options.allowApt) installDebianPackage("chromium");
  return findChromium();
}
