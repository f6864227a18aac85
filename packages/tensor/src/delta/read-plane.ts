import {
  ALPHABETS,
  BYTES,
  FREQUENCY_BITS,
  FREQUENCY_SUM,
  invalidDelta,
  STATE_LOW,
  type Alphabet,
} from "./delta-format.ts";
import { addSymbols } from "./add-symbols.ts";
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
  const count = reader.varint("the number of words", reader.remaining >> 1);
  const states: [number, number] = [readState(reader), readState(reader)];
  const words = new Uint16Array(count);
  new Uint8Array(words.buffer).set(reader.bytes(2 * count));
  const symbols = new Uint8Array(Math.ceil(values.length / alphabet.group));
  const used = decodeSymbols(table, words, states, symbols);
  const escaped = addSymbols(alphabet, symbols, values, escapes);
  // The encoder began where the decoder has to end: what was not coded so does not get there.
  if (used !== count || escaped !== escapes.length || states.some((state) => state !== STATE_LOW))
    throw invalidDelta("its words do not decode to what it says");
}

/** All arithmetic is in 32-bit integers, which engines keep in registers. Returns how many words were taken. */
function decodeSymbols(
  table: Int32Array,
  words: Uint16Array,
  states: [number, number],
  symbols: Uint8Array,
): number {
  let first = states[0] | 0;
  let second = states[1] | 0;
  let word = 0;
  const { length } = symbols;
  for (let i = 0; i < length; i += 2) {
    const one = table[first & MASK]! | 0;
    first = (Math.imul((one >>> FREQUENCY_BITS) & MASK, first >> FREQUENCY_BITS) + (one & MASK)) | 0;
    if (first < STATE_LOW) first = (first << 16) | words[word++]!;
    symbols[i] = one >>> 24;
    if (i + 1 === length) break;
    const two = table[second & MASK]! | 0;
    second = (Math.imul((two >>> FREQUENCY_BITS) & MASK, second >> FREQUENCY_BITS) + (two & MASK)) | 0;
    if (second < STATE_LOW) second = (second << 16) | words[word++]!;
    symbols[i + 1] = two >>> 24;
  }
  states[0] = first;
  states[1] = second;
  return word;
}

function readState(reader: DeltaReader): number {
  const state = reader.u32();
  if (state < STATE_LOW || state >= STATE_LOW * 2 ** 16) throw invalidDelta(`a state of ${state}`);
  return state;
}
