import {
  ALPHABETS,
  BYTES,
  FREQUENCY_BITS,
  FREQUENCY_SUM,
  STATE_LOW,
  zeroSymbol,
  type Alphabet,
} from "./delta-format.ts";
import type { DeltaWriter } from "./delta-writer.ts";

/** One byte each, so that no symbol needs more. */
type Symbols = Uint8Array;

/** Values as symbols of an alphabet. */
interface Spelled {
  readonly number: number;
  readonly symbols: Symbols;
  /** Of groups that no symbol stands for. */
  readonly escapes: Int8Array;
  readonly frequencies: Uint16Array;
}

/** Encodes a plane in the alphabet that takes the fewest bytes. The same values always give the same bytes. */
export function writePlane(writer: DeltaWriter, values: Int8Array): void {
  const spelled = spell(cheapestAlphabet(values), values);
  const { number, escapes } = spelled;
  writer.u8(number);
  writeTable(writer, spelled);
  writer.varint(escapes.length / ALPHABETS[number]!.group);
  if (escapes.length > 0) {
    const inner = spell(BYTES, escapes);
    writer.u8(BYTES);
    writeTable(writer, inner);
    writer.varint(0);
    writeWords(writer, inner);
  }
  writeWords(writer, spelled);
}

/** Of large planes a part is enough to tell. Whole groups of every alphabet, taken all over the plane. */
const SAMPLE_VALUES = 96 * 1024;
const SAMPLE_PIECE = 1200;

function cheapestAlphabet(values: Int8Array): number {
  const sample = sampleOf(values);
  const scale = values.length / Math.max(1, sample.length);
  let [best, bestCost] = [BYTES, Infinity];
  for (let number = 0; number < ALPHABETS.length; number++) {
    const spelled = spell(number, sample);
    const parts = spelled.escapes.length === 0 ? [spelled] : [spelled, spell(BYTES, spelled.escapes)];
    const cost = parts.reduce((sum, part) => sum + scale * symbolCost(part) + tableCost(part), 0);
    if (cost < bestCost) [best, bestCost] = [number, cost];
  }
  return best;
}

function sampleOf(values: Int8Array): Int8Array {
  if (values.length <= 2 * SAMPLE_VALUES) return values;
  const pieces = Math.floor(SAMPLE_VALUES / SAMPLE_PIECE);
  const apart = Math.floor(values.length / pieces);
  const sample = new Int8Array(pieces * SAMPLE_PIECE);
  for (let i = 0; i < pieces; i++)
    sample.set(values.subarray(i * apart, i * apart + SAMPLE_PIECE), i * SAMPLE_PIECE);
  return sample;
}

function spell(number: number, values: Int8Array): Spelled {
  const alphabet = ALPHABETS[number]!;
  const { radix, group } = alphabet;
  if (group === 1) {
    const symbols = new Uint8Array(values.buffer.slice(values.byteOffset, values.byteOffset + values.length));
    return { number, symbols, escapes: new Int8Array(0), frequencies: frequenciesOf(symbols, alphabet) };
  }
  const half = (radix - 1) / 2;
  const symbols = new Uint8Array(Math.ceil(values.length / group));
  const escaped: number[] = [];
  for (let i = 0; i < symbols.length; i++) {
    let symbol = 0;
    let isEscape = false;
    for (let j = i * group; j < (i + 1) * group; j++) {
      const value = j < values.length ? values[j]! : 0;
      isEscape ||= value > half || value < -half;
      symbol = symbol * radix + value + half;
    }
    symbols[i] = isEscape ? alphabet.symbols - 1 : symbol;
    if (isEscape) escaped.push(i);
  }
  const escapes = new Int8Array(escaped.length * group);
  for (const [k, i] of escaped.entries())
    escapes.set(values.subarray(i * group, Math.min(values.length, (i + 1) * group)), k * group);
  return { number, symbols, escapes, frequencies: frequenciesOf(symbols, alphabet) };
}

/** Shares of 4096, at least 1 where a symbol occurs at all and at most 4095. */
function frequenciesOf(symbols: Symbols, alphabet: Alphabet): Uint16Array {
  const counts = new Float64Array(alphabet.symbols);
  for (const symbol of symbols) counts[symbol]! += 1;
  const frequencies = new Uint16Array(alphabet.symbols);
  let sum = 0;
  for (const [symbol, count] of counts.entries()) {
    if (count === 0) continue;
    const share = Math.floor((count * FREQUENCY_SUM) / symbols.length);
    frequencies[symbol] = Math.max(1, Math.min(FREQUENCY_SUM - 1, share));
    sum += frequencies[symbol]!;
  }
  let rest = FREQUENCY_SUM - sum;
  // What rounding left over, or took too much, is the business of the most frequent ones.
  while (rest < 0) {
    const at = mostFrequent(frequencies, 0);
    const taken = Math.min(-rest, frequencies[at]! >> 1);
    frequencies[at]! -= taken;
    rest += taken;
  }
  const at = mostFrequent(frequencies, zeroSymbol(alphabet));
  const given = Math.min(rest, FREQUENCY_SUM - 1 - frequencies[at]!);
  frequencies[at]! += given;
  // Where one symbol has all, another takes the last share.
  if (given < rest) frequencies[at === 0 ? 1 : 0] = rest - given;
  return frequencies;
}

/** The first of the most frequent symbols; `none` where nothing occurs. */
function mostFrequent(frequencies: Uint16Array, none: number): number {
  let best = none;
  for (const [symbol, frequency] of frequencies.entries()) if (frequency > frequencies[best]!) best = symbol;
  return best;
}

/** Bits of a frequency's share, in 256ths: whole numbers, so that the choice is the same everywhere. */
const BITS = Uint32Array.from({ length: FREQUENCY_SUM + 1 }, (_, frequency) =>
  frequency === 0 ? 0 : Math.round(256 * (FREQUENCY_BITS - Math.log2(frequency))),
);

function symbolCost({ symbols, frequencies }: Spelled): number {
  let cost = 0;
  for (const symbol of symbols) cost += BITS[frequencies[symbol]!]!;
  return cost;
}

/** A table's symbols take about a byte each. */
function tableCost({ number, symbols }: Spelled): number {
  return 256 * 8 * Math.min(ALPHABETS[number]!.symbols, symbols.length);
}

function writeTable(writer: DeltaWriter, { frequencies }: Spelled): void {
  for (let symbol = 0; symbol < frequencies.length; symbol++) {
    writer.varint(frequencies[symbol]!);
    if (frequencies[symbol] !== 0) continue;
    let more = 0;
    while (symbol + more + 1 < frequencies.length && frequencies[symbol + more + 1] === 0) more += 1;
    writer.varint(more);
    symbol += more;
  }
}

/** From the last symbol to the first, so that a decoder reads forwards; the states take turns by the symbol's place. */
function writeWords(writer: DeltaWriter, { symbols, frequencies }: Spelled): void {
  const starts = new Uint32Array(frequencies.length);
  for (let symbol = 1; symbol < starts.length; symbol++)
    starts[symbol] = starts[symbol - 1]! + frequencies[symbol - 1]!;
  const words = new Uint16Array(symbols.length);
  let count = 0;
  const states: [number, number] = [STATE_LOW, STATE_LOW];
  for (let i = symbols.length - 1; i >= 0; i--) {
    const turn = (i & 1) as 0 | 1;
    const symbol = symbols[i]!;
    const frequency = frequencies[symbol]!;
    let state = states[turn];
    if (state >= (STATE_LOW >> FREQUENCY_BITS) * 0x1_0000 * frequency) {
      words[count++] = state & 0xffff;
      state >>>= 16;
    }
    states[turn] = Math.floor(state / frequency) * FREQUENCY_SUM + (state % frequency) + starts[symbol]!;
  }
  writer.varint(count);
  writer.u32(states[0]);
  writer.u32(states[1]);
  writer.bytes(new Uint8Array(words.slice(0, count).reverse().buffer));
}
