/** The WASM memory that onnxruntime-web made in this realm; it tells nobody, so it is seen while it is made. */
let memory: WebAssembly.Memory | undefined;

/** Runs what may make onnxruntime's memory: the first session does. */
export async function seeWasmMemory<T>(work: () => Promise<T>): Promise<T> {
  if (memory !== undefined) return await work();
  const Original = WebAssembly.Memory;
  WebAssembly.Memory = new Proxy(Original, {
    construct(target, args: [WebAssembly.MemoryDescriptor]) {
      const made = new target(...args);
      memory ??= made;
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
  return memory?.buffer.byteLength;
}
