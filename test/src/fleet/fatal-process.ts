import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { createRuntime } from "@tributary/runtime/node";

// A device in a process of its own, whose engine ends the process when certain weights are run: as a fault in native code does.

export interface FatalProcess {
  readonly coordinator: string;
  /** base64 */
  readonly root: string;
  readonly token: string;
  readonly dataDir: string;
  readonly model: string;
  /** Models with this float32 among their weights end the process. */
  readonly fatalWeight: number;
}

/** What the device says once its app has its model. */
export interface FatalDevice {
  readonly version: number;
  readonly refused: { readonly version: number; readonly code: string } | null;
}

const { coordinator, root, token, dataDir, model, fatalWeight } = JSON.parse(
  process.argv[2]!,
) as FatalProcess;
const native = await createOrtNodeEngine();
const fatal = Buffer.from(Float32Array.of(fatalWeight).buffer);
const runtime = await createRuntime({
  coordinator,
  trust: { root: new Uint8Array(Buffer.from(root, "base64")) },
  token,
  dataDir,
  engine: {
    ...native,
    async load(bytes, load) {
      const session = await native.load(bytes, load);
      if (!Buffer.from(bytes).includes(fatal)) return session;
      return { ...session, run: () => process.kill(process.pid, "SIGKILL") as never };
    },
  },
  deviceHealth: { intervalMs: 1_000 },
});
const handle = await runtime.model(model);
const tell = async (): Promise<void> => {
  await handle.run({ image: new Float32Array(784) });
  const refused = (await runtime.diagnose()).models[0]!.refused ?? null;
  process.send!({ version: handle.version, refused } satisfies FatalDevice);
};
await tell();
process.on("message", () => void tell());
