import { asTaskName } from "@tributary/core";
import { enrol, ScriptedDevice, type Identity } from "../scripted-device.ts";

// One process of many devices: it enrols them, keeps their connections, and checks all of them in when it is told to.

export interface ClientOptions {
  readonly url: string;
  readonly token: string;
  readonly devices: number;
  readonly task: string;
}

/** Enrolments and greetings under way at a time. */
const LANES = 8;
const HEARTBEAT_MS = 15_000;
/** A crowded machine may take longer over a greeting than a coordinator waits. */
const ATTEMPTS = 5;

const { url, token, devices, task } = JSON.parse(process.argv[2]!) as ClientOptions;
const connected: ScriptedDevice[] = [];
let next = 0;
setInterval(() => {
  for (const device of connected) device.send({ type: "heartbeat", nonce: 0 });
}, HEARTBEAT_MS);
await Promise.all(
  Array.from({ length: LANES }, async () => {
    while (next++ < devices) connected.push(await connect(await enrol(url, token)));
  }),
);
async function connect(identity: Identity, attempt = 1): Promise<ScriptedDevice> {
  try {
    return await ScriptedDevice.connect(url, identity);
  } catch (error) {
    if (attempt === ATTEMPTS) throw error;
    return connect(identity, attempt + 1);
  }
}

process.on("message", async () => {
  const answered = connected.map((device) => device.next("wait", 120_000));
  for (const device of connected) device.send({ type: "check-in", task: asTaskName(task), examples: 10 });
  await Promise.all(answered);
  process.send!("answered");
});
process.send!("connected");
