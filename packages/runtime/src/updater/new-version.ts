/** What a version that is new here has to pass, in one script: loaded where there is one. */
export { requireRuntime } from "./require-runtime.ts";
export { requireSamePorts, selfCheck } from "./self-check.ts";
export { openTrial } from "./trial.ts";
export { keptBeside, startable, withdrawal } from "./way-back.ts";
