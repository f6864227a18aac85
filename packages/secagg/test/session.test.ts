import { codeOf } from "@tributary/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cohortShape, decodeSum } from "../src/index.ts";
import { ASSUMPTIONS, TestCohort, type Dropouts } from "./support/cohort.ts";

const full = process.env["TRIBUTARY_TEST_FULL"] === "1";

/** Every n-th of the members that are left. */
const nth = (members: readonly number[], share: number): number[] => {
  const lost = Math.floor(members.length * share);
  return Array.from({ length: lost }, (_, i) => members[Math.floor((i * members.length) / lost)]!);
};

describe("a session", () => {
  test("three members: the sum is the sum of the encodings bit for bit, and decodes", async () => {
    const cohort = await TestCohort.open({ clients: 3 });
    const { sum, contributors, liars } = await cohort.run();
    expect(sum).toEqual(cohort.expected([0, 1, 2]));
    expect([contributors, liars]).toEqual([[0, 1, 2], []]);
    const [, , counts] = decodeSum(cohort.encoding, sum, 3);
    expect([...counts!]).toEqual([21, 24, 27]);
  });

  test("30 % lost at each single step are survived, where the thresholds allow it", async () => {
    const clients = 20;
    const everyone = Array.from({ length: clients }, (_, i) => i);
    const lost = nth(everyone, 0.3);
    const left = everyone.filter((member) => !lost.includes(member));
    for (const stage of ["advertise", "shareKeys", "maskedInput", "consistency", "unmask"] as const) {
      const cohort = await TestCohort.open({ clients });
      const { sum, contributors } = await cohort.run({ [stage]: lost });
      const survivors = stage === "consistency" || stage === "unmask" ? everyone : left;
      expect(contributors, stage).toEqual(survivors);
      expect(sum, stage).toEqual(cohort.expected(survivors));
    }
  });

  test("property: any pattern of dropouts gives the survivors' sum, or below a threshold nothing", async () => {
    const stages = ["advertise", "shareKeys", "maskedInput", "consistency", "unmask"] as const;
    const pattern = fc.record({
      clients: fc.integer({ min: 3, max: 24 }),
      losses: fc.array(fc.record({ stage: fc.constantFrom(...stages), member: fc.nat(23) }), {
        maxLength: 10,
      }),
    });
    await fc.assert(
      fc.asyncProperty(pattern, async ({ clients, losses }) => {
        const gone = new Set<number>();
        const dropouts: Record<(typeof stages)[number], number[]> = {
          advertise: [],
          shareKeys: [],
          maskedInput: [],
          consistency: [],
          unmask: [],
        };
        for (const { stage, member } of losses) {
          if (member >= clients || gone.has(member)) continue;
          gone.add(member);
          dropouts[stage].push(member);
        }
        const cohort = await TestCohort.open({ clients });
        const early = [...dropouts.advertise, ...dropouts.shareKeys, ...dropouts.maskedInput];
        const { signatureThreshold } = cohortShape(clients, ASSUMPTIONS);
        if (clients - gone.size < signatureThreshold) {
          expect(await failing(cohort, dropouts)).toBe("secagg/below-threshold");
          return;
        }
        const survivors = cohort.members(early);
        const { sum, contributors } = await cohort.run(dropouts);
        expect(contributors).toEqual(survivors);
        expect(sum).toEqual(cohort.expected(survivors));
      }),
      { seed: 4242, numRuns: full ? 200 : 12 },
    );
  });

  test("256 members on the k-regular graph, a tenth lost before masking and a tenth after", async () => {
    const clients = 256;
    const everyone = Array.from({ length: clients }, (_, i) => i);
    const cohort = await TestCohort.open({ clients });
    expect(cohort.server.shape).toEqual({
      clients,
      graph: "k-regular",
      degree: 60,
      shareThreshold: 24,
      signatureThreshold: 171,
    });
    const maskedInput = nth(everyone, 0.1);
    const survivors = cohort.members(maskedInput);
    const { sum } = await cohort.run({ maskedInput, unmask: nth(survivors, 0.1) });
    expect(sum).toEqual(cohort.expected(survivors));
  });

  test("512 members, 30 % lost", async (context) => {
    if (!full) context.skip("takes a minute: it is part of test:full");
    const cohort = await TestCohort.open({ clients: 512 });
    const maskedInput = nth(cohort.members(), 0.3);
    const { sum } = await cohort.run({ maskedInput });
    expect(sum).toEqual(cohort.expected(cohort.members(maskedInput)));
  }, 300_000);
});

async function failing(cohort: TestCohort, dropouts: Dropouts): Promise<string> {
  const outcome = await cohort.run(dropouts).then(
    () => undefined,
    (error: unknown) => error,
  );
  return codeOf(() => {
    if (outcome !== undefined) throw outcome;
  });
}
