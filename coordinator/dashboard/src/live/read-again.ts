import type { RecordedChange } from "@tributary/api-client";

/** Lists that no event of their own changes, by the first word of what changes them. */
const LISTS: Readonly<Record<string, readonly string[]>> = {
  "api-token": ["api-tokens"],
  "notification-channel": ["notification-channels"],
  blob: [],
  device: ["fleet", "privacy"],
  issuer: ["privacy"],
  // With the last signature, devices get what waited for it.
  key: ["keys", "channels"],
  operator: ["operators", "operator-sessions", "api-tokens"],
  policy: ["policies", "policy-decisions"],
  session: ["operator-sessions", "api-tokens"],
};

/** What a page read before that a record of the audit log says is no longer so. */
export function readAgainAfter({ action, model }: RecordedChange): (readonly string[])[] {
  const [of = ""] = action.split(".");
  const lists = (LISTS[of] ?? []).map((name) => [name]);
  // Its notes and its rule of retention.
  const ofModel =
    of === "model" && model !== null
      ? [
          ["card", model],
          ["retention", model],
        ]
      : [];
  return [["audit"], ...lists, ...ofModel];
}
