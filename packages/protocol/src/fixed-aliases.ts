import { CANDIDATE, CHAMPION, NEWEST } from "./aliases.ts";
import { STABLE_CHANNEL } from "./channels.ts";

/** What the coordinator itself calls versions: operators give these names to none. `stable` is a channel. */
export const FIXED_ALIASES: ReadonlySet<string> = /* @__PURE__ */ new Set([
  CANDIDATE,
  CHAMPION,
  NEWEST,
  STABLE_CHANNEL,
]);
