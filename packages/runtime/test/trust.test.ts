import { DEFAULT_MINIMUM_COHORT, LEAST_COHORT } from "@tributary/secagg";
import { expect, test } from "vitest";
import { TRUST_DEFAULTS, trustLimits } from "../src/trust.ts";

const root = new Uint8Array(1);

test("a device insists on sixteen and two, unless its app says otherwise", () => {
  expect(TRUST_DEFAULTS).toEqual({
    minimumCohort: DEFAULT_MINIMUM_COHORT,
    maxContributionsPerVersion: 2,
    requireSecureAggregation: false,
  });
  expect(trustLimits("first-use")).toEqual(TRUST_DEFAULTS);
  expect(trustLimits({ root })).toEqual(TRUST_DEFAULTS);
  expect(trustLimits({ root, minimumCohort: LEAST_COHORT })).toMatchObject({ minimumCohort: 3 });
});

test.each([
  { minimumCohort: LEAST_COHORT - 1 },
  { minimumCohort: 16.5 },
  { minimumCohort: Number.NaN },
  { maxContributionsPerVersion: 0 },
])("%o limits nothing", (limits) => {
  expect(() => trustLimits({ root, ...limits })).toThrow(RangeError);
});
