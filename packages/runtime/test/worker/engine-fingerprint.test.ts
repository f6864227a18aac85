import { expect, test } from "vitest";
import { engineFingerprint, type FingerprintNavigator } from "../../src/worker/engine-fingerprint.ts";

const web = {
  entry: "jspi",
  adapter: { kind: "hardware", description: "intel gen-12lp driver 1" },
  version: "1.30.0",
  threads: 1,
} as const;
const chromium = (version: string): FingerprintNavigator => ({
  userAgent: "Mozilla/5.0 Chrome/156.0.0.0",
  userAgentData: {
    getHighEntropyValues: async () => ({
      fullVersionList: [
        { brand: "Not)A;Brand", version: "8.0.0.0" },
        { brand: "Chromium", version },
      ],
      platform: "Linux",
      platformVersion: "6.1",
    }),
  },
});

test("another build of the browser, another driver, engine or thread count is another fingerprint", async () => {
  const first = await engineFingerprint(chromium("156.0.8078.79"), web);
  expect(first).toBe(
    "Chromium 156.0.8078.79, Linux 6.1; hardware: intel gen-12lp driver 1; onnxruntime-web/jspi 1.30.0; 1 threads",
  );
  const others = await Promise.all([
    engineFingerprint(chromium("156.0.8078.80"), web),
    engineFingerprint(chromium("156.0.8078.79"), { ...web, version: "1.31.0" }),
    engineFingerprint(chromium("156.0.8078.79"), { ...web, threads: 2 }),
    engineFingerprint(chromium("156.0.8078.79"), { ...web, adapter: { kind: "none" } }),
  ]);
  expect(new Set([first, ...others]).size).toBe(5);
});

test("a browser that tells less, or refuses, is told by its user agent", async () => {
  const plain = await engineFingerprint({ userAgent: "Firefox/160.0" }, web);
  expect(plain).toMatch(/^Firefox\/160\.0; /);
  const refusing: FingerprintNavigator = {
    userAgent: "Chrome/156",
    userAgentData: {
      getHighEntropyValues: async () => {
        throw new DOMException("no", "NotAllowedError");
      },
    },
  };
  expect(await engineFingerprint(refusing, web)).toMatch(/^Chrome\/156; /);
});
