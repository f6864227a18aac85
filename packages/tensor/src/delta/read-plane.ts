import {
  ALPHABETS,
  BYTES,
  FREQUENCY_BITS,
  FREQUENCY_SUM,
  invalidDelta,
  STATE_LOW,
  symbolValues,
  zeroSymbol,
  type Alphabet,
} from "./delta-format.ts";
import type { DeltaReader } from "./delta-reader.ts";

const MASK = FREQUENCY_SUM - 1;

/**
 * Decodes a plane and adds its values to those that are there, modulo 256. The coder is rANS (Duda 2013,
 * https://arxiv.org/abs/1311.2540) with two states that take turns, renormalized by 16 bits.
 *
 * @throws `tensor/invalid-delta`
 */
export function addPlane(reader: DeltaReader, values: Int8Array): void {
  const number = reader.u8();
  const alphabet = ALPHABETS[number];
  if (alphabet === undefined)
    throw invalidDelta(`it has alphabet ${number}, which this release does not know`);
  const table = readTable(reader, alphabet);
  const groups = Math.ceil(values.length / alphabet.group);
  const escapes = new Int8Array(reader.varint("the number of escapes", groups) * alphabet.group);
  if (escapes.length > 0) {
    if (number === BYTES || reader.u8() !== BYTES) throw invalidDelta("its escapes are no bytes");
    const bytes = ALPHABETS[BYTES]!;
    const inner = readTable(reader, bytes);
    if (reader.u8() !== 0) throw invalidDelta("its escapes have escapes");
    decode(reader, bytes, inner, escapes, NOTHING);
  }
  decode(reader, alphabet, table, values, escapes);
}

const NOTHING = new Int8Array(0);

/** Of each of the 4096 slots: symbol << 24 | its frequency << 12 | how far the slot lies behind its first. */
function readTable(reader: DeltaReader, { symbols }: Alphabet): Int32Array {
  const table = new Int32Array(FREQUENCY_SUM);
  let slot = 0;
  for (let symbol = 0; symbol < symbols; symbol++) {
    const frequency = reader.varint("a frequency", Math.min(MASK, FREQUENCY_SUM - slot));
    if (frequency === 0) symbol += reader.varint("a run of zeros", symbols - symbol - 1);
    for (let bias = 0; bias < frequency; bias++)
      table[slot + bias] = (symbol << 24) | (frequency << FREQUENCY_BITS) | bias;
    slot += frequency;
  }
  if (slot !== FREQUENCY_SUM) throw invalidDelta(`frequencies add up to ${slot}, not ${FREQUENCY_SUM}`);
  return table;
}

function decode(
  reader: DeltaReader,
  alphabet: Alphabet,
  table: Int32Array,
  values: Int8Array,
  escapes: Int8Array,
): void {
  const { group, symbols } = alphabet;
  const count = reader.varint("the number of words", reader.remaining >> 1);
  let first = readState(reader);
  let second = readState(reader);
  const words = new Uint16Array(count);
  new Uint8Array(words.buffer).set(reader.bytes(2 * count));
  const patterns = symbolValues(alphabet);
  const zero = zeroSymbol(alphabet);
  const escape = group === 1 ? symbols : symbols - 1;
  let word = 0;
  let escaped = 0;
  const add = (symbol: number, at: number): void => {
    const length = Math.min(group, values.length - at);
    if (symbol === escape) {
      for (let i = 0; i < length; i++) values[at + i]! += escapes[escaped + i]!;
      escaped += group;
      return;
    }
    for (let i = 0; i < length; i++) values[at + i]! += patterns[symbol * group + i]!;
  };
  for (let at = 0; at < values.length; at += 2 * group) {
    const one = table[first & MASK]!;
    first = Math.imul((one >>> FREQUENCY_BITS) & MASK, first >> FREQUENCY_BITS) + (one & MASK);
    if (first < STATE_LOW) first = (first << 16) | words[word++]!;
    if (one >>> 24 !== zero) add(one >>> 24, at);
    if (at + group >= values.length) break;
    const two = table[second & MASK]!;
    second = Math.imul((two >>> FREQUENCY_BITS) & MASK, second >> FREQUENCY_BITS) + (two & MASK);
    if (second < STATE_LOW) second = (second << 16) | words[word++]!;
    if (two >>> 24 !== zero) add(two >>> 24, at + group);
  }
  // The encoder began where the decoder has to end: what was not coded so does not get there.
  if (word !== count || escaped !== escapes.length || first !== STATE_LOW || second !== STATE_LOW)
    throw invalidDelta("its words do not decode to what it says");
}

function readState(reader: DeltaReader): number {
  const state = reader.u32();
  if (state < STATE_LOW || state >= STATE_LOW * 2 ** 16) throw invalidDelta(`a state of ${state}`);
  return state;
}
