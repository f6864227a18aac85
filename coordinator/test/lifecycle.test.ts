import { existsSync } from "node:fs";
import { chmod, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "node:net";
import { buildLinear } from "@tributary/onnx";
import { adviceOf, asPopulationName, type TributaryError } from "@tributary/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createCoordinator } from "../src/coordinator.ts";
import { codeOf } from "../src/testing/index.ts";
import { startProcess } from "./coordinator-process.ts";
import { asOperator, runningCoordinator } from "./running-coordinator.ts";
import { readEvents } from "./sse-reader.ts";
import { temporaryFolder } from "./temporary-folder.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

const start = (options: object = {}) =>
  createCoordinator({ dataDir: folder.path, port: 0, logLevel: "silent", ...options });

describe("a data directory", () => {
  test("belongs to one coordinator at a time", async () => {
    const first = await start();
    expect(await codeOf(start())).toBe("coordinator/data-dir-in-use");
    await first.close();
    const second = await start();
    expect(second.operatorToken).toBe(first.operatorToken);
    expect(second.tufRoot).toEqual(first.tufRoot);
    await second.close();
  });

  test("is private, and made where there is none", async () => {
    const dataDir = join(folder.path, "deep", "er");
    const coordinator = await start({ dataDir });
    expect((await stat(dataDir)).mode & 0o077).toBe(0);
    await coordinator.close();
  });

  test("that cannot be one is a coded error", async () => {
    const file = join(folder.path, "file");
    await writeFile(file, "no folder");
    expect(await codeOf(start({ dataDir: file }))).toBe("coordinator/data-dir-unusable");
    expect(await codeOf(start({ dataDir: join(file, "below") }))).toBe("coordinator/data-dir-unusable");
    await chmod(file, 0o600);
  });

  test("with a damaged database is refused, and what to do is said", async () => {
    const path = join(folder.path, "tributary.db");
    await writeFile(path, "not a database, but long enough to be taken for one".repeat(40));
    expect(await codeOf(start())).toBe("store/database-damaged");
    await rm(path);
    await (await start()).close();
    const whole = await readFile(path);
    // A page in the middle, as a disk that failed leaves it.
    await writeFile(path, whole.fill(0x5a, 5 * 4096, 7 * 4096));
    const refused = (await start().catch((error: unknown) => error)) as TributaryError;
    expect(refused.code).toBe("store/database-damaged");
    expect(adviceOf(refused)).toContain("tributary restore");
  });

  test("is not made where the port is taken, and free again after a start that failed", async () => {
    const first = await start({ dataDir: join(folder.path, "a") });
    const dataDir = join(folder.path, "b");
    expect(await codeOf(start({ dataDir, port: first.port }))).toBe("coordinator/port-in-use");
    expect(existsSync(dataDir)).toBe(false);
    await (await start({ dataDir })).close();
    expect(await codeOf(start({ dataDir, port: first.port }))).toBe("coordinator/port-in-use");
    const second = await start({ dataDir });
    expect(await codeOf(start({ dataDir, port: first.port }))).toBe("coordinator/data-dir-in-use");
    await Promise.all([first.close(), second.close()]);
  });
});

test.each([
  ["port", { port: 70_000 }],
  ["dataDir", { dataDir: "" }],
  ["allowOrigins", { allowOrigins: { default: ["app.example"] } }],
  ["allowOrigins", { allowOrigins: { default: ["https://app.example/path"] } }],
  ["allowOrigins", { allowOrigins: { "No Name": [] } }],
  ["allowHosts", { allowHosts: ["https://fl.example/"] }],
  ["demoUrl", { demoUrl: "javascript:alert(1)" }],
  ["limits.maxJsonBytes", { limits: { maxJsonBytes: 0 } }],
])("a bad %s is named", async (field, options) => {
  const error: unknown = await start(options).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "coordinator/invalid-config", detail: { field } });
});

test("an address that is not this machine's is a coded error", async () => {
  expect(await codeOf(start({ host: "192.0.2.1" }))).toBe("coordinator/cannot-listen");
});

/** A connection that said this much; `closed` settles when the other side has ended it. */
async function openSocket(port: number, text: string): Promise<{ readonly closed: Promise<void> }> {
  const socket = connect(port, "127.0.0.1");
  // What it is answered is of no interest, nor whether the end is orderly.
  socket.resume().on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  await new Promise<void>((resolve) => socket.on("connect", resolve));
  socket.write(text);
  return { closed };
}

test("closing takes less than two seconds, with streams, half requests and silent sockets open", async () => {
  const coordinator = await runningCoordinator();
  const streams = await Promise.all(
    Array.from({ length: 8 }, () =>
      readEvents(`${coordinator.url}/v1/events`, asOperator(coordinator.operatorToken)),
    ),
  );
  const sockets = await Promise.all(
    ["", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n", "PUT /v1/blobs HTTP/1.1\r\nHost: 127.0.0.1\r\n"].map(
      (text) => openSocket(coordinator.port, text),
    ),
  );
  const began = performance.now();
  await coordinator.close();
  expect(performance.now() - began).toBeLessThan(2_000);
  await Promise.all([...streams.map((stream) => stream.closed), ...sockets.map((socket) => socket.closed)]);
  await expect(fetch(coordinator.url)).rejects.toBeDefined();
  await coordinator.end();
});

test("what was published is there after a restart, also on another port", async () => {
  const first = await start();
  const answer = await fetch(`${first.url}/v1/models/digits/versions`, {
    method: "POST",
    headers: { ...asOperator(first.operatorToken), "content-type": "application/octet-stream" },
    body: buildLinear({ seed: "restart" }),
  });
  expect(answer.status).toBe(201);
  await first.close();
  const second = await start();
  const { models } = (await (
    await fetch(`${second.url}/v1/models`, { headers: asOperator(second.operatorToken) })
  ).json()) as {
    models: { name: string }[];
  };
  expect(models.map((model) => model.name)).toEqual(["digits"]);
  expect(await second.mintEnrolmentToken(asPopulationName("default"))).not.toBe("");
  await second.close();
});

describe("as a process", () => {
  const args = () => ["--port", "0", "--data-dir", folder.path];

  test("says where it listens, and ends by itself on a signal", async () => {
    const { child, listening, ended } = startProcess(...args(), "--name", "test");
    const { url, pid } = await listening;
    expect(pid).toBe(child.pid);
    const headers = asOperator((await readFile(join(folder.path, "operator-token"), "utf8")).trim());
    const status = (await (await fetch(`${url}/v1/status`, { headers })).json()) as { name: string };
    expect(status.name).toBe("test");
    const stream = await readEvents(`${url}/v1/events`, headers);
    const began = performance.now();
    child.kill("SIGTERM");
    expect(await ended).toMatchObject({ code: 0, stderr: "" });
    expect(performance.now() - began).toBeLessThan(2_000);
    await stream.closed;
  });

  test("killed without warning, it leaves a folder that the next one takes", async () => {
    const first = startProcess(...args());
    await first.listening;
    expect(await codeOf(start())).toBe("coordinator/data-dir-in-use");
    first.child.kill("SIGKILL");
    await first.ended;
    const next = await start();
    await next.close();
  });

  test.each([
    ["an unknown flag", ["--colour"], "unknown option"],
    ["a port that is none", ["--port", "many"], "expected 0 to 65535"],
    ["an excess argument", ["extra"], "too many arguments"],
    ["an origin that is none", ["--allow-origin", "clinics=nowhere"], "coordinator/invalid-config"],
  ])("%s is one clear line", async (_, more, text) => {
    const { ended } = startProcess(...args(), ...more);
    const { code, stderr } = await ended;
    expect(code).not.toBe(0);
    expect(stderr).toContain(text);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });

  test("a port in use is one clear line", async () => {
    const first = await start({ dataDir: join(folder.path, "other") });
    const { ended } = startProcess("--data-dir", folder.path, "--port", String(first.port));
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr.trim()).toMatch(/^coordinator: port \d+ .*in use.*\[coordinator\/port-in-use\]$/);
    await first.close();
  });
});
