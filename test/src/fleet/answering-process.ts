import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { createRuntime } from "@tributary/runtime/node";

// One process of devices that answer all the time and tell how versions fare on them, through a rollout.

export interface AnsweringProcess {
  readonly coordinator: string;
  /** base64 */
  readonly root: string;
  readonly token: string;
  readonly folder: string;
  /** By number: what rollouts draw the device by. */
  readonly installations: readonly string[];
}

/** What became of a device, when it was asked. */
export interface AnsweringDevice {
  readonly installation: string;
  /** That ran, in their order. */
  readonly versions: readonly number[];
  /** Bytes of model files that came for the version that runs. */
  readonly downloadedBytes: number;
  /** Of its last call. */
  readonly lastAnswer: "answered" | "failed";
}

const CALL_INTERVAL_MS = 150;
const PICTURE = new Float32Array(784).fill(5);

const { coordinator, root, token, folder, installations } = JSON.parse(process.argv[2]!) as AnsweringProcess;
const trust = { root: new Uint8Array(Buffer.from(root, "base64")) };
const engine = await createOrtNodeEngine();

const devices = await Promise.all(
  installations.map(async (installation) => {
    const dataDir = join(folder, installation);
    await mkdir(join(dataDir, "settings"), { recursive: true });
    await writeFile(join(dataDir, "settings/installation.json"), JSON.stringify(installation));
    const runtime = await createRuntime({
      coordinator,
      trust,
      token,
      dataDir,
      engine,
      deviceHealth: { intervalMs: 10_000 },
    });
    const digits = await runtime.model("digits");
    const device = { installation, runtime, versions: [digits.version], lastAnswer: "answered" };
    const events = runtime.events();
    void (async () => {
      for await (const event of events)
        if (event.type === "running" && event.previousVersion !== null) device.versions.push(event.version);
    })();
    const call = async (): Promise<void> => {
      device.lastAnswer = await digits.run({ image: PICTURE }).then(
        () => "answered",
        () => "failed",
      );
      setTimeout(() => void call(), CALL_INTERVAL_MS).unref();
    };
    void call();
    return device;
  }),
);

process.on("message", () => {
  void (async () => {
    const told = devices.map(async ({ installation, runtime, versions, lastAnswer }) => {
      const [model] = (await runtime.diagnose()).models;
      const downloadedBytes = model!.download?.sizeBytes ?? 0;
      return { installation, versions, lastAnswer, downloadedBytes };
    });
    process.send!(await Promise.all(told));
  })();
});
process.send!("ready");
