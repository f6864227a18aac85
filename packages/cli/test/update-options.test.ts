import { Command } from "commander";
import { expect, test } from "vitest";
import { withUpdate, withUpdateOptions } from "../src/commands/update-options.ts";

function documentWith(args: readonly string[], document: object = {}): object {
  const command = withUpdateOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr() {} });
  return withUpdate(document, command.parse(args, { from: "user" }).opts());
}

test("adapters and batch normalization come from options, which win over the document", () => {
  const document = { name: "mine", adapters: { rank: 2, alpha: 3 } };
  expect(documentWith([], document)).toEqual(document);
  expect(documentWith(["--adapter-rank", "4", "--train-a"], document)).toEqual({
    name: "mine",
    adapters: { rank: 4, alpha: 3, freezeA: false },
  });
  expect(
    documentWith(["--adapter-target", "fc*", "head.weight", "--batch-normalization", "federated"]),
  ).toEqual({ adapters: { targets: ["fc*", "head.weight"] }, batchNormalization: "federated" });
});

test("a wrong value is refused", () => {
  expect(() => documentWith(["--adapter-rank", "0"])).toThrow("whole number from 1 to 4096");
  expect(() => documentWith(["--batch-normalization", "off"])).toThrow("as-exported, frozen, federated");
});
