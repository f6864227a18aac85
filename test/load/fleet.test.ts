import { expect, test } from "vitest";
import { adoptVersion } from "../src/fleet/adopt-version.ts";

const FULL = process.env.TRIBUTARY_TEST_FULL === "1";
const [DEVICES, PROCESSES, ALONE] = FULL ? [1_000, 4, 24] : [30, 2, 2];

// How fast is a figure of `bench ota`: a test machine may be busy with others.
test(
  "connected devices get a new version: each verifies, downloads little, patches and keeps it",
  async () => {
    const { adoptions, p99Ms } = await adoptVersion({
      devices: DEVICES,
      processes: PROCESSES,
      alone: ALONE,
      seed: "fleet",
    });
    expect(new Set(adoptions.map(({ device }) => device)).size).toBe(DEVICES);
    for (const { download } of adoptions) {
      expect(download.deltas).toBeGreaterThanOrEqual(1);
      expect(download.sizeBytes).toBeLessThan(0.2 * download.fullBytes);
    }
    expect(p99Ms).toBeLessThan(FULL ? 60_000 : 30_000);
  },
  FULL ? 600_000 : 90_000,
);
