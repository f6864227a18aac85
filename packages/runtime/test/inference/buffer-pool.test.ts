import { describe, expect, test } from "vitest";
import { createBufferPool } from "../../src/inference/buffer-pool.ts";

const MiB = 1024 ** 2;
const values = (length: number, value = 1) => new Float32Array(length).fill(value);

describe.each([
  ["memory of its own", ArrayBuffer],
  ["shared memory", SharedArrayBuffer],
])("a pool of %s", (_, Memory) => {
  test("copies into memory that was given back, of the same size", () => {
    const pool = createBufferPool(Memory);
    const source = values(8192);
    const first = pool.copy(source);
    expect(first).toEqual(source);
    expect(first.buffer).toBeInstanceOf(Memory);
    source.fill(2);
    expect(first).toEqual(values(8192));
    pool.giveBack(first.buffer);
    const other = pool.copy(values(8193, 3));
    expect(other.buffer).not.toBe(first.buffer);
    const again = pool.copy(source);
    expect(again.buffer).toBe(first.buffer);
    expect(again).toEqual(source);
    // Nobody gave it back twice.
    expect(pool.copy(source).buffer).not.toBe(first.buffer);
  });

  test("reads the same memory as values of another type", () => {
    const pool = createBufferPool(Memory);
    const first = pool.copy(values(8192));
    pool.giveBack(first.buffer);
    const integers = BigInt64Array.from({ length: 4096 }, (_each, i) => BigInt(i));
    const copy = pool.copy(integers);
    expect(copy.buffer).toBe(first.buffer);
    expect(copy).toEqual(integers);
  });

  test("keeps no more than 8 MiB, and lets go of sizes that nobody asks for", () => {
    const pool = createBufferPool(Memory);
    const large = Array.from({ length: 5 }, () => pool.copy(new Uint8Array(2 * MiB)));
    for (const { buffer } of large) pool.giveBack(buffer);
    // The fifth one did not fit beside the four.
    expect(pool.copy(new Uint8Array(2 * MiB)).buffer).toBe(large[4]!.buffer);
    expect(large.map(({ buffer }) => buffer)).not.toContain(pool.copy(new Uint8Array(2 * MiB)).buffer);
    const larger = pool.copy(new Uint8Array(9 * MiB));
    pool.giveBack(larger.buffer);
    expect(pool.copy(new Uint8Array(9 * MiB)).buffer).not.toBe(larger.buffer);
  });

  test("copies a little into memory of its own", () => {
    const pool = createBufferPool(Memory);
    const view = values(100).subarray(10, 20);
    const copy = pool.copy(view);
    expect([copy.buffer instanceof ArrayBuffer, copy.buffer.byteLength]).toEqual([true, 40]);
    pool.giveBack(copy.buffer);
    expect(pool.copy(view).buffer).not.toBe(copy.buffer);
  });
});
