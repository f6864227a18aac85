import type { GraphPort, ModelProcessing } from "@tributary/protocol";
import { tensor } from "@tributary/tensor";
import { describe, expect, test } from "vitest";
import { isText, type Tokenizer } from "../../src/text/text.ts";
import { tokenise } from "../../src/text/tokenise.ts";

/** As BERT's: [CLS] 101, a token a letter, [SEP] 102. */
const letters: Tokenizer = (text, { maxTokens }) => {
  const own = Array.from(text, (letter) => letter.charCodeAt(0)).slice(0, maxTokens - 2);
  return { ids: [101, ...own, 102], typeIds: [0, ...own.map(() => 1), 0] };
};

function model(tokens: number, dtype: GraphPort["dtype"] = "int64") {
  const shape = [-1, tokens];
  const inputs: GraphPort[] = [
    { name: "ids", dtype, shape },
    { name: "mask", dtype: "bool", shape },
    { name: "types", dtype, shape },
    { name: "age", dtype: "float32", shape: [-1, 1] },
  ];
  const processing: ModelProcessing = {
    inputs: {
      ids: { kind: "text", tokenizer: "letters", maxTokens: 5, padId: 9, mask: "mask", typeIds: "types" },
    },
  };
  return { inputs, processing };
}

describe("a text becomes token ids, a mask and segments", () => {
  test("as long as the model says, cut by the tokenizer", async () => {
    const read = await tokenise(model(5), { ids: "abcdef" }, { letters });
    expect(read).toEqual({
      ids: tensor("int64", [1, 5], BigInt64Array.of(101n, 97n, 98n, 99n, 102n)),
      mask: tensor("bool", [1, 5], Uint8Array.of(1, 1, 1, 1, 1)),
      types: tensor("int64", [1, 5], BigInt64Array.of(0n, 1n, 1n, 1n, 0n)),
    });
  });

  test("or as long as the longest of the rows", async () => {
    const read = await tokenise(model(-1, "int32"), { ids: ["a", "bc", ""] }, { letters });
    expect(read["ids"]).toEqual(
      tensor("int32", [3, 4], Int32Array.of(101, 97, 102, 9, 101, 98, 99, 102, 101, 102, 9, 9)),
    );
    expect(read["mask"]).toEqual(tensor("bool", [3, 4], Uint8Array.of(1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0)));
  });

  test("of a tokenizer that answers later, with nothing but ids, and too many", async () => {
    const later: Tokenizer = async () => BigInt64Array.of(1n, 2n, 3n, 4n, 5n, 6n, 7n);
    const read = await tokenise(model(-1), { ids: "text" }, { letters: later });
    expect(read["ids"]).toEqual(tensor("int64", [1, 5], BigInt64Array.of(1n, 2n, 3n, 4n, 5n)));
    expect(read["types"]).toEqual(tensor("int64", [1, 5], new BigInt64Array(5)));
  });

  test("while what else was fed is the app's to change", async () => {
    const age = Float32Array.of(7);
    const reading = tokenise<unknown>(model(5), { age, ids: "a", other: 3 }, { letters });
    age[0] = 8;
    expect(await reading).toMatchObject({ age: Float32Array.of(7), other: 3 });
  });
});

test.each<[string, unknown, Tokenizer | undefined, string]>([
  ["without the tokenizer", "a", undefined, "createRuntime({ tokenizers })"],
  [
    "with one that fails",
    "a",
    () => {
      throw new Error("no vocabulary");
    },
    "no vocabulary",
  ],
  ["with one that gives fractions", "a", () => [1, 2.5], "got 2.5"],
  ["with one that gives less than nothing", "a", () => [-1], "got -1"],
  ["with one whose segments are of another text", "a", () => ({ ids: [1, 2], typeIds: [0] }), "1 type ids"],
  ["of rows that are no texts", ["a", 7], letters, "got number"],
])("a text %s is refused", async (_, ids, tokenizer, why) => {
  const given = tokenizer === undefined ? {} : { letters: tokenizer };
  await expect(tokenise(model(5), { ids }, given)).rejects.toMatchObject({
    code: "runtime/tokenizer-failed",
    message: expect.stringContaining(why) as string,
    detail: { input: "ids", tokenizer: "letters" },
  });
});

test("an input that takes no text says so", async () => {
  await expect(tokenise(model(5), { age: "seven" }, { letters })).rejects.toMatchObject({
    code: "engine/input-mismatch",
  });
  await expect(tokenise(model(5), { agee: "seven" }, { letters })).rejects.toMatchObject({
    code: "engine/input-mismatch",
  });
});

test("texts are told from what else is fed", () => {
  expect(["", "a", ["a", "b"]].map(isText)).toEqual([true, true, true]);
  expect([1, [1, 2], [], null, undefined, { data: "a" }].map(isText)).toEqual(Array(6).fill(false));
});
