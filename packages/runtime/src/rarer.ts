import { lazyPart } from "./lazy-part.ts";

/** What most calls do without. */
export const rarerCalls = lazyPart("rarer calls", () => import("./rarer-calls.ts"));
