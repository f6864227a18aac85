import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { createRuntime } from "@tributary/runtime/node";
import { pictureOf } from "./picture-model.ts";

// One process of devices that classify pictures of their own all the time, and tell how versions fare on them: what was right in masked
// sums alone, what failed under their own names where they do.

export interface AnsweringProcess {
  readonly coordinator: string;
  /** base64 */
  readonly root: string;
  readonly token: string;
  readonly folder: string;
  readonly population: string;
  readonly minimumCohort: number;
  readonly devices: readonly DeviceToBe[];
}

export interface DeviceToBe {
  /** What rollouts draw it by. */
  readonly installation: string;
  /** Classes of its pictures, of ten. */
  readonly classes: readonly number[];
  readonly tellsHealth: boolean;
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

/** Between two rows of pictures: one of each class, so that each cohort hears of every class alike. */
const ROW_INTERVAL_MS = 1_000;

const options = JSON.parse(process.argv[2]!) as AnsweringProcess;
const { coordinator, token, folder, population, minimumCohort } = options;
const trust = { root: new Uint8Array(Buffer.from(options.root, "base64")), minimumCohort };
const engine = await createOrtNodeEngine();

const devices = await Promise.all(
  options.devices.map(async ({ installation, classes, tellsHealth }) => {
    const dataDir = join(folder, installation);
    await mkdir(join(dataDir, "settings"), { recursive: true });
    await writeFile(join(dataDir, "settings/installation.json"), JSON.stringify(installation));
    const deviceHealth = tellsHealth && { intervalMs: 1_000 };
    const runtime = await createRuntime({
      coordinator,
      trust,
      token,
      dataDir,
      population,
      engine,
      deviceHealth,
    });
    const digits = await runtime.model("digits");
    const device = { installation, runtime, versions: [digits.version], lastAnswer: "answered" };
    const events = runtime.events();
    void (async () => {
      for await (const event of events)
        if (event.type === "running" && event.previousVersion !== null) device.versions.push(event.version);
    })();
    runtime.participate({ consent: { telemetry: true } });
    const judge = async (shown: number): Promise<void> => {
      const answer = await digits.run({ image: pictureOf(shown) });
      await digits.feedback(answer, shown);
    };
    const row = async (): Promise<void> => {
      for (const shown of classes) {
        device.lastAnswer = await judge(shown).then(
          () => "answered",
          () => "failed",
        );
      }
      setTimeout(() => void row(), ROW_INTERVAL_MS).unref();
    };
    void row();
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
