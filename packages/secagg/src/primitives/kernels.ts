/**
 * The loops over vectors, in WebAssembly: they take a fifth of the time of the same loops in JavaScript. Addresses are in
 * bytes of the instance's memory, elements are 32-bit, little-endian, and added modulo 2^32; each adds at least once.
 */
export interface Kernels {
  /**
   * Adds key stream to elements, four at a time: `for (; at < end; at += 16, stream += 4 * lane / 8)`.
   *
   * @param sign - 0 to add, -1 to take away
   */
  readonly addLanes: Readonly<
    Record<8 | 16 | 32, (at: number, stream: number, end: number, sign: number) => void>
  >;
  /**
   * Adds packed elements, lowest bits first: `for (; at < end; at += 4, bit += width)`. Reads up to 8 bytes past the last.
   *
   * @param mask - of the width's bits
   */
  readonly addPacked: (at: number, packed: number, end: number, width: number, mask: number) => void;
}

const PAGE_BYTES = 65_536;

// WebAssembly core specification 2.0, binary format.
const I32 = 0x7f;
const V128 = 0x7b;
const localGet = (index: number): number[] => [0x20, index];
const localSet = (index: number): number[] => [0x21, index];
const localTee = (index: number): number[] => [0x22, index];
const i32Const = (value: number): number[] => [0x41, value];
const I32_ADD = [0x6a];
const I32_AND = [0x71];
const I32_SHR_U = [0x76];
const I32_LT_U = [0x49];
const I32_LOAD = [0x28, 2, 0];
const I32_STORE = [0x36, 2, 0];
const I64_LOAD_UNALIGNED = [0x29, 0, 0];
const I64_SHR_U = [0x88];
const I64_EXTEND_I32_U = [0xad];
const I32_WRAP_I64 = [0xa7];
const LOOP = [0x03, 0x40];
const BR_IF_LOOP = [0x0d, 0];
const END = [0x0b];
const V128_LOAD = [0xfd, 0x00, 4, 0];
const V128_LOAD16X4_U = [0xfd, 0x04, 3, 0];
const V128_LOAD32_ZERO = [0xfd, 0x5c, 2, 0];
const V128_STORE = [0xfd, 0x0b, 4, 0];
const V128_XOR = [0xfd, 0x51];
const I16X8_EXTEND_LOW_I8X16_U = [0xfd, 0x89, 0x01];
const I32X4_EXTEND_LOW_I16X8_U = [0xfd, 0xa9, 0x01];
const I32X4_SPLAT = [0xfd, 0x11];
const I32X4_ADD = [0xfd, 0xae, 0x01];
const I32X4_SUB = [0xfd, 0xb1, 0x01];

/** Four lanes of key stream as 32-bit integers. */
const LOADS = {
  8: [...V128_LOAD32_ZERO, ...I16X8_EXTEND_LOW_I8X16_U, ...I32X4_EXTEND_LOW_I16X8_U],
  16: V128_LOAD16X4_U,
  32: V128_LOAD,
} as const;

/** Parameters are locals 0 to 3, the sign in every lane is local 4. (x ^ -1) - (-1) is -x. */
function addLanes(lane: 8 | 16 | 32): number[] {
  const stream = [localGet(1), LOADS[lane], localGet(4), V128_XOR, localGet(4), I32X4_SUB].flat();
  return functionBody(V128, [
    [localGet(3), I32X4_SPLAT, localSet(4), LOOP],
    [localGet(0), localGet(0), V128_LOAD, stream, I32X4_ADD, V128_STORE],
    [localGet(1), i32Const(lane / 2), I32_ADD, localSet(1)],
    [localGet(0), i32Const(16), I32_ADD, localTee(0), localGet(2), I32_LT_U, BR_IF_LOOP, END],
  ]);
}

/** Parameters are locals 0 to 4, the bit is local 5. */
function addPacked(): number[] {
  const byte = [localGet(1), localGet(5), i32Const(3), I32_SHR_U, I32_ADD].flat();
  const shift = [localGet(5), i32Const(7), I32_AND, I64_EXTEND_I32_U].flat();
  return functionBody(I32, [
    [LOOP, localGet(0), localGet(0), I32_LOAD],
    [byte, I64_LOAD_UNALIGNED, shift, I64_SHR_U, I32_WRAP_I64, localGet(4), I32_AND],
    [I32_ADD, I32_STORE],
    [localGet(5), localGet(3), I32_ADD, localSet(5)],
    [localGet(0), i32Const(4), I32_ADD, localTee(0), localGet(2), I32_LT_U, BR_IF_LOOP, END],
  ]);
}

/** With one local beside the parameters. */
function functionBody(local: number, lines: readonly (readonly (readonly number[])[])[]): number[] {
  return sized([1, 1, local, ...lines.flat(2), ...END]);
}

function sized(bytes: readonly number[]): number[] {
  if (bytes.length > 127) throw new RangeError("a length of one byte");
  return [bytes.length, ...bytes];
}

function section(id: number, bytes: readonly number[]): number[] {
  const low = (bytes.length & 0x7f) | 0x80;
  return [id, low, bytes.length >> 7, ...bytes];
}

function name(text: string): number[] {
  return sized(Array.from(text, (letter) => letter.charCodeAt(0)));
}

const FUNCTIONS = [
  { name: "add8", type: 0, body: addLanes(8) },
  { name: "add16", type: 0, body: addLanes(16) },
  { name: "add32", type: 0, body: addLanes(32) },
  { name: "addPacked", type: 1, body: addPacked() },
] as const;

const MAGIC_AND_VERSION = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

const MODULE = Uint8Array.from(
  [
    MAGIC_AND_VERSION,
    section(1, [2, 0x60, 4, I32, I32, I32, I32, 0, 0x60, 5, I32, I32, I32, I32, I32, 0]),
    section(2, [1, ...name("e"), ...name("memory"), 2, 0, 1]),
    section(3, [FUNCTIONS.length, ...FUNCTIONS.map(({ type }) => type)]),
    section(7, [FUNCTIONS.length, ...FUNCTIONS.flatMap((f, i) => [...name(f.name), 0, i])]),
    section(10, [FUNCTIONS.length, ...FUNCTIONS.flatMap(({ body }) => body)]),
  ].flat(),
);

let compiled: WebAssembly.Module | undefined;

/** The kernels on a memory of their own. */
export function openKernels(byteLength: number): {
  readonly kernels: Kernels;
  readonly heap: Uint8Array<ArrayBuffer>;
  readonly elements: Uint32Array<ArrayBuffer>;
} {
  compiled ??= new WebAssembly.Module(MODULE);
  const memory = new WebAssembly.Memory({ initial: Math.max(1, Math.ceil(byteLength / PAGE_BYTES)) });
  const {
    add8,
    add16,
    add32,
    addPacked: addPackedElements,
  } = new WebAssembly.Instance(compiled, {
    e: { memory },
  }).exports as unknown as Record<"add8" | "add16" | "add32", Kernels["addLanes"][8]> &
    Pick<Kernels, "addPacked">;
  return {
    kernels: { addLanes: { 8: add8, 16: add16, 32: add32 }, addPacked: addPackedElements },
    heap: new Uint8Array(memory.buffer as ArrayBuffer),
    elements: new Uint32Array(memory.buffer as ArrayBuffer),
  };
}
