import { seededRandom } from "@tributary/core";
import { NO_COHORTS, observeCohorts, readCohorts } from "@tributary/metrics";
import { describe, expect, test } from "vitest";

const ASKED = { margin: 0.02, alpha: 0.05 };

function play(harm: number, run: number, pairs: number) {
  const random = seededRandom(`cohorts ${harm} ${run}`);
  const looks = [];
  let state = NO_COHORTS;
  for (let i = 0; i < pairs; i++) {
    state = observeCohorts(state, {
      treated: 0.3 + harm + 0.03 * random.normal(),
      control: 0.3 + 0.03 * random.normal(),
    });
    looks.push(readCohorts(state, ASKED));
  }
  return looks;
}

describe("a sequential test of cohorts", () => {
  test("raises no more false alarms than alpha at the edge of the margin, looked at after every pair", () => {
    const runs = 400;
    const all = Array.from({ length: runs }, (_, run) => play(ASKED.margin, run, 40));
    const share = (is: (look: ReturnType<typeof readCohorts>) => boolean): number =>
      all.filter((looks) => looks.some(is)).length / runs;
    expect(share(({ worse }) => worse >= 1 / ASKED.alpha)).toBeLessThanOrEqual(ASKED.alpha);
    expect(share(({ notWorse }) => notWorse >= 1 / ASKED.alpha)).toBeLessThanOrEqual(ASKED.alpha);
    expect(share(({ lower, upper }) => lower > 0.02 || upper < 0.02)).toBeLessThanOrEqual(ASKED.alpha);
  });

  test("sees ten points within a dozen pairs, and the interval agrees with the e-value at every look", () => {
    const looks = Array.from({ length: 40 }, (_, run) => play(0.1, run, 12));
    const caught = looks.filter((each) => each.some(({ worse }) => worse >= 1 / ASKED.alpha));
    expect(caught.length).toBeGreaterThan(36);
    for (const { worse, lower } of looks.flat()) {
      if (Math.abs(worse * ASKED.alpha - 1) > 1e-9)
        expect(worse >= 1 / ASKED.alpha).toBe(lower > ASKED.margin);
    }
  });

  test("decides nothing by one pair; by pairs that are all the same after a few", () => {
    const pair = { treated: 1, control: 0 };
    const one = observeCohorts(NO_COHORTS, pair);
    expect(readCohorts(one, ASKED)).toMatchObject({ worse: 1, lower: -1, upper: 1, difference: 1 });
    const few = Array.from({ length: 4 }).reduce<typeof one>((state) => observeCohorts(state, pair), one);
    expect(readCohorts(few, ASKED).worse).toBeGreaterThan(1 / ASKED.alpha);
    expect(readCohorts(NO_COHORTS, ASKED)).toMatchObject({ treated: null, difference: null });
  });
});
