import { asTaskName } from "@tributary/core";
import { enrol, ScriptedDevice } from "../scripted-device.ts";

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

const { url, token, devices, task } = JSON.parse(process.argv[2]!) as ClientOptions;
const connected: ScriptedDevice[] = [];
let next = 0;
setInterval(() => {
  for (const device of connected) device.send({ type: "heartbeat", nonce: 0 });
}, HEARTBEAT_MS);
await Promise.all(
  Array.from({ length: LANES }, async () => {
    while (next++ < devices)
      connected.push(await ScriptedDevice.connectPatiently(url, await enrol(url, token)));
  }),
);
async function checkIn(): Promise<void> {
  const answered = connected.map((device) => device.next("wait", 120_000));
  for (const device of connected) device.send({ type: "check-in", task: asTaskName(task), examples: 10 });
  await Promise.all(answered);
  process.send!("answered");
}

process.on("message", () => void checkIn());
process.send!("connected");
