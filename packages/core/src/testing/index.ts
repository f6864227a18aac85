export { codeOf } from "./code-of.ts";
export { createVirtualClock, type VirtualClock } from "./virtual-clock.ts";
export { createInsecureTestRandom } from "./insecure-random.ts";
