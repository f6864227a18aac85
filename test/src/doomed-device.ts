import { registerHooks } from "node:module";
import type { SecureStepName } from "@tributary/protocol";
import type { Observer } from "./recording-secagg.ts";

// A device in a process of its own that is killed, as by `kill -9`, in the middle of a step of secure aggregation.

export interface DoomedDevice {
  readonly coordinator: string;
  /** base64 */
  readonly root: string;
  readonly token: string;
  readonly dataDir: string;
  /** Which examples it has. */
  readonly device: number;
  readonly diesAt: SecureStepName;
}

const { coordinator, root, token, dataDir, device, diesAt } = JSON.parse(process.argv[2]!) as DoomedDevice;

Object.assign(globalThis, {
  onEncoded: (encoded) => process.send!(encoded),
  beforeStep(step) {
    if (step === diesAt) process.kill(process.pid, "SIGKILL");
  },
} satisfies Observer);
const recorder = new URL("./recording-secagg.ts", import.meta.url).href;
registerHooks({
  resolve(specifier, context, next) {
    const observed =
      specifier === "@tributary/secagg" && context.parentURL?.endsWith("/participation/secure-member.ts");
    return next(observed === true ? recorder : specifier, context);
  },
});

// After the hooks: what is imported before them would not be observed.
const { createRuntime } = await import("@tributary/runtime/node");
const { giveDigits } = await import("./secure-device.ts");
const trust = { root: new Uint8Array(Buffer.from(root, "base64")) };
const runtime = await createRuntime({ coordinator, trust, token, dataDir });
await giveDigits(runtime, device);
runtime.participate({ consent: true, task: "digits" });
