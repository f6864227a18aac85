import { expect, test } from "vitest";
import { adoptVersion } from "../src/fleet/adopt-version.ts";

const FULL = process.env.TRIBUTARY_TEST_FULL === "1";
const [DEVICES, PROCESSES, LOADING] = FULL ? [1_000, 4, 24] : [30, 2, 2];

// How fast is a figure of `bench ota`: a test machine may be busy with others.
test(
  "connected devices get a new version: each verifies it and has it on its disk, for less than one download",
  async () => {
    const { adoptions } = await adoptVersion({
      devices: DEVICES,
      processes: PROCESSES,
      loading: LOADING,
      seed: "fleet",
    });
    expect(new Set(adoptions.map(({ device }) => device)).size).toBe(DEVICES);
    expect(adoptions.filter(({ pushedAtMs }) => pushedAtMs !== undefined)).toHaveLength(LOADING);
    for (const { bytesDown, fullBytes } of adoptions) {
      expect(fullBytes).toBeGreaterThan(10_000);
      expect(bytesDown).toBeLessThan(fullBytes);
    }
  },
  FULL ? 600_000 : 90_000,
);
