import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { asModelName } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { createRuntime } from "@tributary/runtime/node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startCoordinator, temporaryFolder, type CoordinatorProcess } from "../src/coordinator-process.ts";
import { mintToken } from "../src/enrolment-token.ts";
import { freePort } from "../src/free-port.ts";
import { fencedBlocks } from "../src/markdown.ts";
import { runTributary } from "../src/tributary-process.ts";

const GUIDE = readFileSync(join(import.meta.dirname, "../../coordinator/RECOVERY.md"), "utf8");

/** The commands of a section of the guide, as arguments of `tributary`. */
function guide(heading: string): string[][] {
  const section = GUIDE.slice(GUIDE.indexOf(`## ${heading}`));
  const [block] = fencedBlocks(section).filter(({ language }) => language === "sh");
  return block!.text
    .trim()
    .split("\n")
    .map((line) => line.replace("npx --yes pnpm@12 tributary ", "").split(" "));
}

const digits = asModelName("digits");
const opened = new AsyncDisposableStack();
let folder: string;
let port: number;
let coordinator: CoordinatorProcess;

const api = () => createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
const start = async (dataDir: string): Promise<void> => {
  coordinator = await startCoordinator({ dataDir, port });
};

beforeAll(async () => {
  const temporary = temporaryFolder();
  opened.defer(() => temporary.remove());
  folder = temporary.path;
  port = await freePort();
  await start(join(folder, ".tributary"));
  opened.defer(async () => void (await coordinator.stop()));
});
afterAll(() => opened.disposeAsync());

test("a backup is taken while the coordinator runs; after its restore devices go on, and no number means two things", async () => {
  await api().publishModel(digits, buildLinear({ seed: 1 }));
  const root = new Uint8Array(await (await fetch(`${coordinator.url}/v1/tuf/1.root.json`)).arrayBuffer());
  const runtime = await createRuntime({
    coordinator: coordinator.url,
    trust: { root },
    token: () => mintToken(coordinator.dataDir),
    dataDir: join(folder, "device"),
  });
  opened.defer(() => runtime.close());
  const handle = await runtime.model("digits");
  expect(handle.version).toBe(1);

  const [backup, restore] = guide("Back up and restore");
  const taken = await runTributary(backup!, { cwd: folder });
  expect(taken).toMatchObject({
    code: 0,
    stderr: expect.stringContaining("whoever reads it can sign releases"),
  });

  // What comes after the backup is lost to the coordinator, but not to its devices.
  for (const seed of [2, 3]) await api().publishModel(digits, buildLinear({ seed }));
  await vi.waitFor(() => expect(handle.version).toBe(3), { timeout: 15_000 });
  await coordinator.kill();

  expect(await runTributary(restore!, { cwd: folder })).toMatchObject({ code: 0 });
  await start(join(folder, ".tributary-restored"));
  // The device takes what the restored coordinator signs for the newest there is, and so it is.
  await vi.waitFor(() => expect(handle.version).toBe(1), { timeout: 30_000 });
  await api().publishModel(digits, buildLinear({ seed: 4 }));
  await vi.waitFor(() => expect(handle.version).toBe(1_002), { timeout: 15_000 });
});
