import { failure } from "@tributary/core";

/*
 * A weight delta, version 1: what turns one file into another of the same length. Numbers are little-endian; a varint has seven bits a
 * byte, least first.
 *
 *   "TRWD"  version u8 (1)  length of both files u32  regions varint
 *   region, one after the other until the whole file is covered:
 *     length varint (bytes)  kind u8
 *     kind 0, copy: nothing
 *     kind 1, difference: elementBytes u8 (1, 2 or 4), a plane for each byte of an element, the least significant first
 *     kind 2, replace: the new bytes
 *     kind 3, step of float32 values: channels varint, a scale u16 for each (the upper half of a float32), one plane of int8
 *   plane of n values:
 *     alphabet u8 (see ALPHABETS), frequencies of its symbols (varint; after a 0, how many more are 0), which add up to 4096
 *     escapes varint; where there are some, a plane of their values, in alphabet BYTES
 *     words varint, two states u32, words u16 each
 */
export const DELTA_MAGIC = 0x4457_5254;
export const DELTA_VERSION = 1;

export const REGION = Object.freeze({ copy: 0, difference: 1, replace: 2, step: 3 });

/** A region says at least its length and its kind. */
export const MIN_REGION_BYTES = 2;

/**
 * A symbol stands for `group` neighbouring values, each from -(radix - 1) / 2 to (radix - 1) / 2; the last symbol says that one of
 * them is larger, and all of them are given apart. Most differences are zero, so that one symbol has to cost less than one bit.
 */
export interface Alphabet {
  readonly radix: number;
  readonly group: number;
  /** How many there are, the escape included. */
  readonly symbols: number;
}

const alphabet = (radix: number, group: number): Alphabet => ({ radix, group, symbols: radix ** group + 1 });

/** By number. The last has every byte, and no escape. */
export const ALPHABETS: readonly Alphabet[] = [
  alphabet(3, 4),
  alphabet(5, 3),
  alphabet(15, 2),
  { radix: 256, group: 1, symbols: 256 },
];
export const BYTES = ALPHABETS.length - 1;

/** Frequencies add up to this power of two; none has all of it, so that three numbers fit one of 32 bits. */
export const FREQUENCY_BITS = 12;
export const FREQUENCY_SUM = 1 << FREQUENCY_BITS;
/** States lie from here to 2^16 times as high. */
export const STATE_LOW = 1 << 15;

/** The symbol of a group of zeros; of bytes, 0 itself. */
export function zeroSymbol({ radix, group }: Alphabet): number {
  return group === 1 ? 0 : (radix ** group - 1) / 2;
}

/** The values that each symbol stands for, `group` of them after the other. */
export function symbolValues({ radix, group, symbols }: Alphabet): Int8Array {
  const values = new Int8Array(symbols * group);
  if (group === 1) return values.map((_, symbol) => symbol);
  for (let symbol = 0; symbol < symbols - 1; symbol++) {
    let rest = symbol;
    for (let i = group - 1; i >= 0; i--) {
      values[symbol * group + i] = (rest % radix) - (radix - 1) / 2;
      rest = Math.floor(rest / radix);
    }
  }
  return values;
}

/** @throws always, `tensor/invalid-delta` */
export function invalidDelta(problem: string): Error {
  return failure("tensor/invalid-delta", `delta: ${problem}; download the whole file`);
}
