import { seededRandom } from "@tributary/core";
import { expect } from "vitest";

const GOLDEN_NEXT = [0.9937749851744792, 0.46255568117746015, 0.7241807225382172];
const GOLDEN_NORMAL = [1.2669751351935936, -1.072864544252244, 0.49215908000061315];
const GOLDEN_INTEGERS = [765, 884, 187, 978, 547, 542];
const GOLDEN_FORK = 0.6919386840574248;
const GOLDEN_SHUFFLE = [2, 4, 7, 1, 0, 6, 5, 3];

/** The first numbers of one seed; Node and browsers must agree to the last bit. */
export function expectGoldenNumbers(): void {
  const random = seededRandom("golden");
  expect(Array.from({ length: 3 }, () => random.next())).toEqual(GOLDEN_NEXT);
  expect(Array.from({ length: 3 }, () => random.normal())).toEqual(GOLDEN_NORMAL);
  expect(Array.from({ length: 6 }, () => random.integer(1000))).toEqual(GOLDEN_INTEGERS);
  expect(random.fork("child").next()).toBe(GOLDEN_FORK);
  expect(random.shuffle([0, 1, 2, 3, 4, 5, 6, 7])).toEqual(GOLDEN_SHUFFLE);
}
