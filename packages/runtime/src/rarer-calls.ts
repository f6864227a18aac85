/** What many apps never call, in one script: each one more costs every page some hundred bytes. */
export { checkedBatching } from "./inference/batching.ts";
export { inferenceStream } from "./inference/stream.ts";
export { toExample, toKept } from "./learner/example.ts";
export { personalise } from "./personal/handle.ts";
export { tokenise } from "./text/tokenise.ts";
export { followPage } from "./worker/follow-page.ts";
export { followBattery } from "./worker/follow-battery.ts";
