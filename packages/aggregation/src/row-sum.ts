import {
  BR_IF_LOOP,
  END,
  I32_ADD,
  I32_LT_U,
  i32Const,
  localGet,
  localSet,
  localTee,
  LOOP,
  openWasm,
  simd,
  V128,
  v128Load,
  v128Store,
  wasmModule,
  type WasmFunction,
} from "@tributary/core/wasm";

/** Updates that are added in one pass over a sum. */
export const SUM_ROWS = 8;
/** Values of each: all rows together stay in the processor's cache. */
export const ROW_VALUES = 32_768;

/** A sum of weighted float32 vectors in float64, several vectors in one pass over it. */
export interface RowSum {
  readonly sum: Float64Array<ArrayBuffer>;
  /** Where pieces of up to `SUM_ROWS` vectors are put, of up to `ROW_VALUES` values each. */
  readonly rows: readonly Float32Array<ArrayBuffer>[];
  /**
   * Adds one row after the other: `sum[offset + i] += factors[row] * rows[row][begin + i]`, each product and each sum rounded to
   * float64. The bits are the same however many rows are added at a time.
   *
   * @param factors - of the first rows, as many as are added
   */
  readonly add: (offset: number, begin: number, length: number, factors: readonly number[]) => void;
}

const ROW_BYTES = 4 * ROW_VALUES;
const FACTORS_AT = 0;
const ROWS_AT = 8 * SUM_ROWS;
const SUM_AT = ROWS_AT + SUM_ROWS * ROW_BYTES;

const V128_LOAD64_SPLAT = (offset: number) => simd(0x0a, { align: 3, offset });
const V128_LOAD64_ZERO = (offset: number) => simd(0x5d, { align: 2, offset });
const F64X2_PROMOTE_LOW_F32X4 = simd(0x5f);
const F64X2_ADD = simd(0xf0);
const F64X2_MUL = simd(0xf2);

/**
 * Four values of each row at a time. Parameters: address in the sum, its end, address in the first row; then locals: the rows'
 * factors, and two times two sums.
 */
function addRows(rows: number): WasmFunction {
  const factor = (row: number) => 3 + row;
  const sums = [3 + rows, 4 + rows];
  const all = Array.from({ length: rows }, (_, row) => row);
  return {
    name: `add${rows}`,
    parameters: 3,
    locals: { type: V128, count: rows + sums.length },
    body: [
      all.flatMap((row) => [i32Const(FACTORS_AT), V128_LOAD64_SPLAT(8 * row), localSet(factor(row))]),
      LOOP,
      sums.flatMap((sum, half) => [localGet(0), v128Load(16 * half), localSet(sum)]),
      all.flatMap((row) =>
        sums.flatMap((sum, half) => [
          [localGet(sum), localGet(2), V128_LOAD64_ZERO(row * ROW_BYTES + 8 * half)].flat(),
          [F64X2_PROMOTE_LOW_F32X4, localGet(factor(row)), F64X2_MUL, F64X2_ADD, localSet(sum)].flat(),
        ]),
      ),
      sums.flatMap((sum, half) => [localGet(0), localGet(sum), v128Store(16 * half)]),
      [localGet(2), i32Const(16), I32_ADD, localSet(2)],
      [localGet(0), i32Const(32), I32_ADD, localTee(0), localGet(1), I32_LT_U, BR_IF_LOOP, END],
    ],
  };
}

let compiled: WebAssembly.Module | undefined;

/** Zeros. It is in the memory of a WebAssembly instance, or, where there is no room for another one, in ordinary memory. */
export function openRowSum(length: number): RowSum {
  compiled ??= wasmModule(Array.from({ length: SUM_ROWS }, (_, i) => addRows(i + 1)));
  try {
    const { functions, buffer } = openWasm<string>(compiled, SUM_AT + 8 * length);
    return rowSum(buffer, length, functions);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return plainRowSum(length);
  }
}

/** The same sum without WebAssembly. */
export function plainRowSum(length: number): RowSum {
  return rowSum(new ArrayBuffer(SUM_AT + 8 * length), length);
}

function rowSum(
  buffer: ArrayBuffer,
  length: number,
  kernels?: Readonly<Record<string, (at: number, end: number, row: number) => void>>,
): RowSum {
  const weights = new Float64Array(buffer, FACTORS_AT, SUM_ROWS);
  const rows = Array.from(
    { length: SUM_ROWS },
    (_, row) => new Float32Array(buffer, ROWS_AT + row * ROW_BYTES, ROW_VALUES),
  );
  const sum = new Float64Array(buffer, SUM_AT, length);
  return {
    sum,
    rows,
    add(offset, begin, count, factors) {
      requireRange("sum", offset, count, length);
      requireRange("row", begin, count, ROW_VALUES);
      if (factors.length < 1 || factors.length > SUM_ROWS)
        throw new RangeError(`rowSum: 1 to ${SUM_ROWS} rows expected, got ${factors.length}`);
      const whole = kernels === undefined ? 0 : count - (count % 4);
      if (whole > 0) {
        weights.set(factors);
        const at = SUM_AT + 8 * offset;
        kernels![`add${factors.length}`]!(at, at + 8 * whole, ROWS_AT + 4 * begin);
      }
      for (let i = whole; i < count; i++) {
        let value = sum[offset + i]!;
        for (let row = 0; row < factors.length; row++) value += factors[row]! * rows[row]![begin + i]!;
        sum[offset + i] = value;
      }
    },
  };
}

function requireRange(what: string, begin: number, count: number, length: number): void {
  if (
    Number.isInteger(begin) &&
    Number.isInteger(count) &&
    begin >= 0 &&
    count >= 0 &&
    begin + count <= length
  )
    return;
  throw new RangeError(`rowSum: values ${begin} to ${begin + count} do not lie in a ${what} of ${length}`);
}
