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
    let cost = 0;
    for (const part of countedParts(number, sample)) {
      const frequencies = frequenciesOf(part.counts, part.total, ALPHABETS[part.number]!);
      cost = cost + scale * symbolCost(part.counts, frequencies) + tableCost(part);
      if (cost >= bestCost) break;
    }
    if (cost < bestCost) [best, bestCost] = [number, cost];
  }
  return best;
}

/** How often each symbol of an alphabet occurs, which is all that its cost follows from. */
interface Counted {
  readonly number: number;
  readonly counts: Uint32Array;
  /** Of all symbols together. */
  readonly total: number;
}

/** The symbols of a plane, and then, where it has some, those of its escapes. */
function* countedParts(number: number, values: Int8Array): Generator<Counted> {
  const { radix, group, symbols } = ALPHABETS[number]!;
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.length);
  const counts = new Uint32Array(symbols);
  if (group === 1) {
    for (let i = 0; i < bytes.length; i++) counts[bytes[i]!]! += 1;
    return yield { number, counts, total: bytes.length };
  }
  const escape = symbols - 1;
  const digits = DIGITS[number]!;
  const total = Math.ceil(bytes.length / group);
  const escaped = new Uint32Array(256);
  for (let i = 0; i < total; i++) {
    const symbol = symbolAt(bytes, i * group, digits, radix, group);
    if (symbol < escape) {
      counts[symbol]! += 1;
      continue;
    }
    counts[escape]! += 1;
    for (let j = i * group; j < (i + 1) * group; j++) escaped[j < bytes.length ? bytes[j]! : 0]! += 1;
  }
  yield { number, counts, total };
  if (counts[escape]! > 0) yield { number: BYTES, counts: escaped, total: counts[escape]! * group };
}

/** More than any symbol, wherever in a group it stands. */
const ESCAPE_DIGIT = 4096;

/** Of each alphabet, by a value's byte: its digit, or {@link ESCAPE_DIGIT}. */
const DIGITS: readonly Uint16Array[] = ALPHABETS.map(({ radix }) =>
  Uint16Array.from({ length: 256 }, (_, byte) => {
    const digit = ((byte << 24) >> 24) + (radix - 1) / 2;
    return digit >= 0 && digit < radix ? digit : ESCAPE_DIGIT;
  }),
);

/** The symbol of the group that begins at a place; as large as the last one, or larger, where none stands for it. Beyond the end are zeros. */
function symbolAt(
  bytes: Uint8Array,
  begin: number,
  digits: Uint16Array,
  radix: number,
  group: number,
): number {
  let symbol = 0;
  for (let j = begin; j < begin + group; j++)
    symbol = symbol * radix + digits[j < bytes.length ? bytes[j]! : 0]!;
  return symbol;
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
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.length);
  const counts = new Uint32Array(alphabet.symbols);
  if (group === 1) {
    for (let i = 0; i < bytes.length; i++) counts[bytes[i]!]! += 1;
    const frequencies = frequenciesOf(counts, bytes.length, alphabet);
    return { number, symbols: bytes, escapes: new Int8Array(0), frequencies };
  }
  const escape = alphabet.symbols - 1;
  const digits = DIGITS[number]!;
  const symbols = new Uint8Array(Math.ceil(values.length / group));
  for (let i = 0; i < symbols.length; i++) {
    symbols[i] = Math.min(escape, symbolAt(bytes, i * group, digits, radix, group));
    counts[symbols[i]!]! += 1;
  }
  const escapes = new Int8Array(counts[escape]! * group);
  for (let [i, k] = [0, 0]; k < escapes.length; i++) {
    if (symbols[i] !== escape) continue;
    escapes.set(values.subarray(i * group, Math.min(values.length, (i + 1) * group)), k);
    k += group;
  }
  return { number, symbols, escapes, frequencies: frequenciesOf(counts, symbols.length, alphabet) };
}

/** Shares of 4096, at least 1 where a symbol occurs at all and at most 4095. */
function frequenciesOf(counts: Uint32Array, total: number, alphabet: Alphabet): Uint16Array {
  const frequencies = new Uint16Array(alphabet.symbols);
  let sum = 0;
  for (const [symbol, count] of counts.entries()) {
    if (count === 0) continue;
    const share = Math.floor((count * FREQUENCY_SUM) / total);
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

function symbolCost(counts: Uint32Array, frequencies: Uint16Array): number {
  let cost = 0;
  for (let symbol = 0; symbol < counts.length; symbol++)
    cost += counts[symbol]! * BITS[frequencies[symbol]!]!;
  return cost;
}

/** A table's symbols take about a byte each. */
function tableCost({ number, total }: Counted): number {
  return 256 * 8 * Math.min(ALPHABETS[number]!.symbols, total);
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
