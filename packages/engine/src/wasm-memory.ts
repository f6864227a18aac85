/** The WASM memory that each build of onnxruntime-web made in this realm; it tells nobody, so it is seen while it is made. */
const memories = new Map<string, WebAssembly.Memory>();

/** Runs what may make the memory of a build: its first session does. @param again - what is run where it is there */
export async function seeWasmMemory<T>(
  build: string,
  work: () => Promise<T>,
  again: () => Promise<T> = work,
): Promise<T> {
  if (memories.has(build)) return await again();
  const Original = WebAssembly.Memory;
  WebAssembly.Memory = new Proxy(Original, {
    construct(target, args: [WebAssembly.MemoryDescriptor]) {
      const made = new target(...args);
      if (!memories.has(build)) memories.set(build, made);
      return made;
    },
  });
  try {
    return await work();
  } finally {
    WebAssembly.Memory = Original;
  }
}

/** Bytes reserved; undefined before the first session. They never become fewer. */
export function wasmMemoryBytes(): number | undefined {
  if (memories.size === 0) return undefined;
  return [...memories.values()].reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
}
