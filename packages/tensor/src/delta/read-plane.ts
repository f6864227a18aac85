import {
  ALPHABETS,
  BYTES,
  FREQUENCY_BITS,
  FREQUENCY_SUM,
  invalidDelta,
  STATE_LOW,
  type Alphabet,
} from "./delta-format.ts";
import { symbolAdder } from "./add-symbols.ts";
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
  const table = readTable(reader, alphabet, OUTER);
  const groups = Math.ceil(values.length / alphabet.group);
  const escapes = new Int8Array(reader.varint("the number of escapes", groups) * alphabet.group);
  if (escapes.length > 0) {
    if (number === BYTES || reader.u8() !== BYTES) throw invalidDelta("its escapes are no bytes");
    const bytes = ALPHABETS[BYTES]!;
    const inner = readTable(reader, bytes, INNER);
    if (reader.u8() !== 0) throw invalidDelta("its escapes have escapes");
    decode(reader, bytes, inner, escapes, NOTHING);
  }
  decode(reader, alphabet, table, values, escapes);
}

const NOTHING = new Int8Array(0);

/** Tables of the plane that is read, and of its escapes: a small tensor takes less time than the memory for them would. */
const [OUTER, INNER] = [new Int32Array(FREQUENCY_SUM), new Int32Array(FREQUENCY_SUM)];

/** Of each of the 4096 slots: symbol << 24 | its frequency << 12 | how far the slot lies behind its first. */
function readTable(reader: DeltaReader, { symbols }: Alphabet, table: Int32Array): Int32Array {
  let slot = 0;
  for (let symbol = 0; symbol < symbols; symbol++) {
    const frequency = reader.varint("a frequency", Math.min(MASK, FREQUENCY_SUM - slot));
    if (frequency === 0) symbol += reader.varint("a run of zeros", symbols - symbol - 1);
    let entry = (symbol << 24) | (frequency << FREQUENCY_BITS);
    for (const end = slot + frequency; slot < end; slot++) table[slot] = entry++;
  }
  if (slot !== FREQUENCY_SUM) throw invalidDelta(`frequencies add up to ${slot}, not ${FREQUENCY_SUM}`);
  return table;
}

/** Symbols that are decoded before they are added: few enough to stay in the nearest cache, and whole words of values in any alphabet. */
const CHUNK = 12 * 1024;

function decode(
  reader: DeltaReader,
  alphabet: Alphabet,
  table: Int32Array,
  values: Int8Array,
  escapes: Int8Array,
): void {
  const count = reader.varint("the number of words", reader.remaining >> 1);
  const coder: Coder = { first: readState(reader), second: readState(reader), used: 0 };
  const words = wordsOf(reader.bytes(2 * count));
  const total = Math.ceil(values.length / alphabet.group);
  const symbols = new Uint8Array(Math.min(CHUNK, total));
  const add = symbolAdder(alphabet, escapes);
  let escaped = 0;
  for (let at = 0; at < total; at += CHUNK) {
    const some = symbols.subarray(0, Math.min(CHUNK, total - at));
    decodeSymbols(table, words, coder, some);
    const begin = at * alphabet.group;
    escaped = add(some, values.subarray(begin, begin + some.length * alphabet.group), escaped);
  }
  // The encoder began where the decoder has to end: what was not coded so does not get there.
  const isDone = coder.used === count && coder.first === STATE_LOW && coder.second === STATE_LOW;
  if (!isDone || escaped !== escapes.length) throw invalidDelta("its words do not decode to what it says");
}

/** Where they lie, if a typed array can begin there. */
function wordsOf(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2);
}

/** Two states that take turns, and how many words they have taken. */
interface Coder {
  first: number;
  second: number;
  used: number;
}

/** All arithmetic is in 32-bit integers, which engines keep in registers. The first of the symbols is always the first state's. */
function decodeSymbols(table: Int32Array, words: Uint16Array, coder: Coder, symbols: Uint8Array): void {
  let first = coder.first | 0;
  let second = coder.second | 0;
  let word = coder.used;
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
  coder.first = first;
  coder.second = second;
  coder.used = word;
}

function readState(reader: DeltaReader): number {
  const state = reader.u32();
  if (state < STATE_LOW || state >= STATE_LOW * 2 ** 16) throw invalidDelta(`a state of ${state}`);
  return state;
}
