import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { TributaryError } from "@tributary/core";
import { exampleOf, inputColumns } from "@tributary/engine/examples";
import { tensor, writeSafetensors } from "@tributary/tensor";
import { afterAll, describe, expect, test } from "vitest";
import { openDataSet, type OpenDataSetOptions, type TableShape } from "../../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "tributary-sources-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ONE: TableShape = {
  inputs: [{ name: "x", dtype: "float32", shape: [-1, 2] }],
  classes: true,
  labelSize: 1,
};
const TWO: TableShape = {
  inputs: [
    { name: "age", dtype: "float32", shape: [-1, 1] },
    { name: "codes", dtype: "int64", shape: [-1, 2] },
  ],
  classes: false,
  labelSize: 2,
};

let files = 0;
function fileOf(extension: string, content: string | Uint8Array): string {
  const file = join(folder, `data-${files++}${extension}`);
  writeFileSync(file, content);
  return file;
}

const open = (file: string, more: Partial<OpenDataSetOptions> = {}) =>
  openDataSet(file, { shape: ONE, heldOutShare: 0, seed: "1", ...more });

async function refusal(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error: unknown = await promise.then(
    () => new Error("it was read"),
    (reason: unknown) => reason,
  );
  expect(TributaryError.is(error), String(error)).toBe(true);
  return error as TributaryError;
}

describe("CSV", () => {
  test("a model of one input takes all columns but label and group, quotes and all", async () => {
    const file = fileOf(".csv", '\ufeffwriter,a,label,b\r\nann,1,0,"2"\r\nbob,-3.5e1,1,4\r\nann,5,2,6\r\n');
    const { train, heldOut } = await open(file, { group: "writer" });
    expect(heldOut).toBeUndefined();
    expect(train.groups).toEqual({ of: Uint32Array.of(0, 1, 0), count: 2 });
    const columns = inputColumns(train.table, ["x"]);
    expect(exampleOf(train.table, columns, 1)).toEqual({ inputs: [Float32Array.of(-35, 4)], label: 1 });
  });

  test("one of several takes its own columns, and labels may be several numbers", async () => {
    const file = fileOf(".csv.gz", gzipSync("y.0,codes.0,age,codes.1,y.1\n0.5,7,30,8,0.25\n"));
    const { train } = await open(file, { shape: TWO, label: "y" });
    const columns = inputColumns(train.table, ["age", "codes"]);
    expect(exampleOf(train.table, columns, 0)).toEqual({
      inputs: [Float32Array.of(30), BigInt64Array.of(7n, 8n)],
      label: Float32Array.of(0.5, 0.25),
    });
  });

  test.each([
    ["a,b,label\n1,2,0\n1,x,0\n", "dataset/invalid", /row 3, column "b": a number expected, got "x"/],
    ["a,b,label\n1,,0\n", "dataset/invalid", /row 2, column "b"/],
    ["a,b,label\n1,2,0.5\n", "dataset/invalid", /row 2: a class expected/],
    ["a,b,c,label\n1,2,3,0\n", "dataset/mismatch", /3 columns besides "label", the model's "x" takes 2/],
    ["a,b\n1,2\n", "dataset/mismatch", /no column "label"/],
    ["a,a,label\n1,2,0\n", "dataset/invalid", /two columns "a"/],
    ["a,b,label\n1,2\n", "dataset/invalid", /row 2/],
    ['a,b,label\n1,"2,0\n', "dataset/invalid", /row 2/],
    ["a,b,label\n", "dataset/invalid", /there are no rows/],
  ])("%j is refused, naming where", async (content, code, message) => {
    const error = await refusal(open(fileOf(".csv", content)));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});

describe("JSON Lines", () => {
  test("a field for each input, flat or nested, and empty lines between", async () => {
    const file = fileOf(".jsonl", '{"x":[1,2],"label":1,"user":7}\n\n{"x":[[3],[4]],"label":0,"user":8}\n');
    const { train } = await open(file, { group: "user" });
    expect(train.groups).toEqual({ of: Uint32Array.of(0, 1), count: 2 });
    const columns = inputColumns(train.table, ["x"]);
    expect(exampleOf(train.table, columns, 1)).toEqual({ inputs: [Float32Array.of(3, 4)], label: 0 });
  });

  test.each([
    ['{"x":[1,2],"label":0}\n{"x":[1,', "dataset/invalid", /row 2/],
    ["[1,2]\n", "dataset/invalid", /row 1: an object expected/],
    [
      '{"x":[1,"2"],"label":0}\n',
      "dataset/invalid",
      /row 1, field "x": numbers, or lists of numbers expected, got "2"/,
    ],
    ['{"x":[1,1e999],"label":0}\n', "dataset/invalid", /field "x"/],
    ['{"x":[1],"label":0}\n', "dataset/mismatch", /row 1: 1 values for "x", the model takes 2/],
    ['{"label":0}\n', "dataset/mismatch", /no field "x"/],
    [
      `{"x":${"[".repeat(40)}1${"]".repeat(40)},"label":0}\n`,
      "dataset/invalid",
      /lists in more than 8 lists/,
    ],
  ])("%j is refused, naming where", async (content, code, message) => {
    const error = await refusal(open(fileOf(".jsonl", content)));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});

describe("safetensors", () => {
  const x = tensor("float32", [4, 2], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  const labels = tensor("int32", [4], Int32Array.of(0, 1, 0, 1));

  test("a tensor for each input, and one that tells clients apart", async () => {
    const user = tensor("int64", [4], BigInt64Array.of(9n, 9n, 3n, 9n));
    const bytes = writeSafetensors([
      ["x", x],
      ["labels", labels],
      ["user", user],
    ]);
    const { train } = await open(fileOf(".safetensors", bytes), { group: "user" });
    expect(train.groups).toEqual({ of: Uint32Array.of(0, 0, 1, 0), count: 2 });
    expect([...train.table.inputs.keys()]).toEqual(["x"]);
  });

  test("without that tensor it is refused", async () => {
    const bytes = writeSafetensors([
      ["x", x],
      ["labels", labels],
    ]);
    const error = await refusal(open(fileOf(".safetensors", bytes), { group: "user" }));
    expect(error.code).toBe("dataset/mismatch");
    expect(error.message).toMatch(/a tensor "user" \[4\] expected/);
  });
});

test("of a single file a random part is held out: no row is in both, the same seed holds the same out", async () => {
  const lines = Array.from({ length: 50 }, (_, i) => `${i},${-i},${i % 3}`);
  const file = fileOf(".csv", ["a,b,label", ...lines].join("\n"));
  const { train, heldOut } = await open(file, { heldOutShare: 0.2 });
  const valuesOf = (table: typeof train.table) => [...(table.inputs.get("x")!.data as Float32Array)];
  expect(heldOut!.count).toBe(10);
  const both = [...valuesOf(train.table), ...valuesOf(heldOut!)].filter((_, i) => i % 2 === 0);
  expect(both.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  const again = await open(file, { heldOutShare: 0.2 });
  expect(valuesOf(again.heldOut!)).toEqual(valuesOf(heldOut!));
});

test("a folder has train and test; one without is told what is looked for", async () => {
  const here = mkdtempSync(join(folder, "split-"));
  writeFileSync(join(here, "train.csv"), "a,b,label\n1,2,0\n3,4,1\n");
  writeFileSync(join(here, "test.csv"), "a,b,label\n5,6,1\n");
  const { train, heldOut } = await open(here);
  expect([train.table.count, heldOut!.count]).toEqual([2, 1]);
  const empty = mkdtempSync(join(folder, "empty-"));
  expect((await refusal(open(empty))).message).toMatch(/neither MNIST's four IDX files nor train\.csv/);
  expect((await refusal(open(join(folder, "nowhere")))).code).toBe("dataset/not-found");
  expect((await refusal(open(fileOf(".txt", "a")))).message).toMatch(/\.csv/);
});
