import { asModelVersion } from "@tributary/core";
import type { CardNotes } from "@tributary/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { prefersMarkdown } from "../../src/http/prefers-markdown.ts";
import { cardMarkdown } from "../../src/registry/card-markdown.ts";
import { modelCard } from "../../src/registry/model-card.ts";
import { exampleLineage, exampleModel, exampleVersion } from "../../src/testing/index.ts";

const NOTES: CardNotes = {
  intendedUse: "Reading single digits.\nNot for cheques.",
  limitations: "Crossed sevens.",
  licence: "Apache-2.0",
  contacts: ["ml@example.org"],
};
const model = exampleModel();
const channel = (name: string, version: number) => ({
  model: model.name,
  name,
  version: asModelVersion(version),
  releasedAt: 1,
});
const names = {
  channels: [channel("stable", 2), channel("beta", 3)],
  aliases: [{ model: model.name, name: "champion", version: asModelVersion(2), movedAt: 1 }],
};
const cardOf = (notes: CardNotes | null = NOTES, labels: readonly string[] = ["zero", "one"]) =>
  modelCard(
    { ...model, labels, cardNotes: notes && { notes, updatedAt: 5 } },
    exampleVersion(2, {
      cohort: 3,
      numExamples: 30,
      strategy: { name: "fedAdam", parameters: { learningRate: 0.1 } },
    }),
    names,
  );

describe("a model card", () => {
  test("holds what points to the version, its lineage and what operators say", () => {
    expect(cardOf()).toMatchObject({
      model: "digits",
      channels: ["stable"],
      aliases: ["champion"],
      classes: ["zero", "one"],
      version: { version: 2, lineage: exampleLineage(2), accuracy: 0.9 },
      notes: NOTES,
      updatedAt: "1970-01-01T00:00:00.005Z",
    });
    expect(cardOf(null)).toMatchObject({ notes: null, updatedAt: null });
  });

  test("as Markdown says all of it in words", () => {
    const lines = cardMarkdown(cardOf()).split("\n");
    for (const line of [
      "# digits, version 2",
      "| channels | stable |",
      "| called | champion |",
      "Reading single digits.",
      "Not for cheques.",
      String.raw`- input image: float32 [any, 1, 28, 28]`,
      "- 2 classes: zero, one",
      "| accuracy | 0.9 (95 %: 0.8 to 0.95) |",
      "| mae | 0.25 |",
      "- grew out of: version 1",
      "- strategy: fedAdam, learningRate 0.1",
      "- updates in it: 3, of 30 examples",
      "- differential privacy: no noise",
      "- secure aggregation: sums of at least 16 updates, and no single one, were seen",
      String.raw`- licence: Apache\-2.0`,
      "- ml@example.org",
    ])
      expect(lines).toContain(line);
    const bare = cardMarkdown(modelCard(model, exampleVersion(1), names));
    expect(bare).toContain("It was not measured on held-out data.");
    expect(bare).toContain("- made by: not recorded");
    expect(bare).toContain("Nothing was written by its operators.");
  });

  test("names only so many classes", () => {
    const many = Array.from({ length: 1_000 }, (_, i) => `class ${i}`);
    expect(cardMarkdown(cardOf(null, many))).toMatch(/1000 classes: class 0, .*class 49 and 950 more\n/);
  });

  test("property: no text of an operator or publisher brings HTML, a link, a heading or a row of a table", () => {
    const nasty = fc.oneof(
      fc.string({ unit: "grapheme", minLength: 1 }),
      fc.constantFrom("<script>alert(1)</script>", "[x](javascript:alert(1))", "# big", "a | b", "&lt;b&gt;"),
    );
    const shape = (markdown: string) => markdown.split("\n").filter((line) => /^(#|\| )/.test(line)).length;
    const expected = shape(cardMarkdown(cardOf(NOTES, ["a"])));
    fc.assert(
      fc.property(nasty, (text) => {
        const notes = { intendedUse: text, limitations: text, licence: text, contacts: [text] };
        const markdown = cardMarkdown(cardOf(notes, [text]));
        expect(markdown).not.toMatch(/[<>]/);
        expect(markdown.replaceAll(/\\./g, "")).not.toMatch(/\]\(/);
        expect(shape(markdown)).toBe(expected);
      }),
    );
  });
});

test.each([
  [undefined, false],
  ["*/*", false],
  ["application/json", false],
  ["text/markdown", true],
  ["text/*", true],
  ["text/markdown;q=0.5, application/json", false],
  ["application/json;q=0.5, text/markdown", true],
  ["text/html, */*;q=0.8", false],
])("Accept: %s prefers Markdown: %s", (accept, expected) => {
  expect(prefersMarkdown(accept)).toBe(expected);
});
