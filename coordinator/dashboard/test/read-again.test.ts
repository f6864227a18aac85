import type { RecordedChange } from "@tributary/api-client";
import { expect, test } from "vitest";
import { readAgainAfter } from "../src/live/read-again.ts";

test.each<[Partial<RecordedChange>, unknown[]]>([
  [{ action: "key.rotate" }, [["keys"], ["channels"]]],
  [{ action: "operator.grants" }, [["operators"], ["operator-sessions"], ["api-tokens"]]],
  [
    { action: "model.notes", model: "digits" },
    [
      ["card", "digits"],
      ["retention", "digits"],
    ],
  ],
  [{ action: "round.commit", model: "digits", task: "digits" }, []],
])("after %j, besides the log", (change, lists) => {
  expect(readAgainAfter({ model: null, task: null, ...change } as RecordedChange)).toEqual([
    ["audit"],
    ...lists,
  ]);
});
