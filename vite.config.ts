import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { playwright } from "@vitest/browser-playwright";
import { chromium } from "playwright";
import { defaultClientConditions, defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

/** Packages resolve to their TypeScript source: nothing has to be built before a test. */
const SOURCE = "@tributary/source";

/** SharedArrayBuffer, and so WASM threads, exists only in cross-origin isolated pages. */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const resolve = { conditions: [SOURCE, ...defaultClientConditions] };
const ssr = {
  resolve: {
    conditions: [SOURCE, ...defaultServerConditions],
    externalConditions: [SOURCE],
  },
};

/** The evaluation data, where it is present: browser tests read it over the test server. */
const DATA = process.env.TRIBUTARY_DATA ?? join(import.meta.dirname, "../shared/data");

/** CHROME_PATH, a system Chromium, or Playwright's own. */
function chromiumPath(): string | undefined {
  const candidates = [
    process.env.CHROME_PATH,
    "/usr/bin/chromium",
    "/usr/bin/google-chrome",
    "/usr/bin/chromium-browser",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    chromium.executablePath(),
  ];
  return candidates.find((path) => path !== undefined && path !== "" && existsSync(path));
}

export default defineConfig({
  test: {
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: "unit",
          environment: "node",
          include: [
            "packages/*/test/**/*.test.ts",
            "coordinator/test/**/*.test.ts",
            "coordinator/dashboard/test/**/*.test.ts",
            "demo/test/**/*.test.ts",
            "test/shape/**/*.test.ts",
          ],
          exclude: ["**/*.browser.test.ts", "**/node_modules/**"],
          // Against what hangs; slow machines are no failure.
          testTimeout: 240_000,
          hookTimeout: 240_000,
          // vitest leaves one core to itself, which of two is half.
          maxWorkers: availableParallelism(),
          // A worker for each of some 240 files would take a quarter of the time.
          isolate: false,
        },
      },
      {
        resolve,
        server: { headers: ISOLATION, fs: { allow: [import.meta.dirname, DATA] } },
        worker: { format: "es" },
        optimizeDeps: {
          exclude: ["onnxruntime-web"],
          // Workers are entries too: what only they import would be found in the middle of a run, and reload it.
          entries: [
            "packages/*/test/**/*.browser.test.ts",
            "packages/*/test/**/*-worker.ts",
            "packages/runtime/src/worker/*.ts",
            "packages/engine/src/tfjs/*.ts",
          ],
        },
        test: {
          name: "browser",
          env: { TRIBUTARY_TEST_FULL: process.env.TRIBUTARY_TEST_FULL ?? "", TRIBUTARY_DATA: DATA },
          include: ["packages/*/test/**/*.browser.test.ts", "test/browser/**/*.browser.test.ts"],
          testTimeout: 180_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                ...(chromiumPath() === undefined ? {} : { executablePath: chromiumPath()! }),
                args: ["--no-sandbox", "--enable-unsafe-webgpu", "--disable-background-networking"],
              },
            }),
            instances: [{ browser: "chromium" }],
          },
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: "e2e",
          environment: "node",
          include: ["test/{e2e,chaos,load,docs,conformance}/**/*.test.ts"],
          globalSetup: ["test/src/shared-folder.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // A lane more than two processors: each file waits for processes and timers a third of its time.
          maxWorkers: 3,
        },
      },
    ],
  },
});
