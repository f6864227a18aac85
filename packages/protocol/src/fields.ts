import { text, type Codec } from "@tributary/core";
import { LIMITS } from "./limits.ts";

export const code: Codec<string> = text({ max: LIMITS.maxCodeBytes });
export const targetPath: Codec<string> = text({ max: LIMITS.maxTargetPathBytes });
export const channel: Codec<string> = text({ max: 32 });
