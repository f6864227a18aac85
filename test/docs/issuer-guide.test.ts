import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AddressInfo } from "node:net";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator } from "@tributary/coordinator";
import { asPopulationName } from "@tributary/core";
import { createRuntime } from "@tributary/runtime/node";
import type { Express } from "express";
import { exportJWK, generateKeyPair } from "jose";
import { afterAll, expect, test, vi } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { fencedBlocks } from "../src/markdown.ts";
import { startTributary } from "../src/tributary-process.ts";
import { typeCheck } from "../src/type-check.ts";

// The guide to issuers is executed: its files compile, its ten lines admit a device, and its commands are there.

const ROOT = join(import.meta.dirname, "../..");
const GUIDE = readFileSync(join(ROOT, "coordinator/ISSUER.md"), "utf8");

// In here, so that Node and TypeScript find the workspace's packages.
const scratch = mkdtempSync(join(import.meta.dirname, ".issuer-"));
const folder = temporaryFolder();
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
  folder.remove();
});

const blocks = fencedBlocks(GUIDE);
const files = blocks
  .filter(({ language }) => language === "ts")
  .map(({ text }) => ({ name: /^\/\/ (\S+)/.exec(text)?.[1] ?? "", text }));

const textOf = (name: string): string => files.find((file) => file.name === name)!.text;

test("its files compile as they stand, and each issuer is ten lines", async () => {
  expect(files.map(({ name }) => name)).toEqual(["app.ts", "page.ts", "fl-token.ts"]);
  for (const name of ["app.ts", "fl-token.ts"]) {
    const code = textOf(name)
      .split("\n")
      .filter((line) => /^\s*[^\s/]/.test(line) && !/^(?:import .*|[}\s)]+;?)$/.test(line));
    expect([name, code.length <= 10]).toEqual([name, true]);
  }
  for (const { name, text } of files) writeFileSync(join(scratch, name), text);
  expect(
    await typeCheck(
      scratch,
      files.map(({ name }) => name),
    ),
  ).toBe("");
});

test("its ten lines admit a device at a coordinator that has the public key alone", async () => {
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  vi.stubEnv("ISSUER_JWK", JSON.stringify(await exportJWK(privateKey)));
  writeFileSync(join(scratch, "fl-token.ts"), textOf("fl-token.ts"));
  const { flToken } = (await import(join(scratch, "fl-token.ts"))) as {
    readonly flToken: (device: { publicKey: string }) => Promise<string>;
  };
  const { x } = await exportJWK(publicKey);
  await using coordinator = await createCoordinator({
    dataDir: join(folder.path, "coordinator"),
    port: 0,
    logLevel: "silent",
    issuer: { publicKey: x! },
  }).then((opened) => ({ ...opened, [Symbol.asyncDispose]: () => opened.close() }));
  await using runtime = await createRuntime({
    coordinator: coordinator.url,
    trust: { root: coordinator.tufRoot },
    token: flToken,
    dataDir: join(folder.path, "device"),
  });
  await vi.waitFor(async () => expect(await runtime.status()).toMatchObject({ connection: "connected" }), {
    timeout: 15_000,
  });
});

test("its Express backend admits devices with the secret of a population, each with a token of its own", async () => {
  const dataDir = join(folder.path, "with-tokens");
  await using coordinator = await createCoordinator({ dataDir, port: 0, logLevel: "silent" }).then(
    (opened) => ({ ...opened, [Symbol.asyncDispose]: () => opened.close() }),
  );
  await coordinator.mintEnrolmentToken(asPopulationName("default"));
  vi.stubEnv("ENROLMENT_SECRET_FILE", join(dataDir, "keys/enrolment.default.secret"));
  writeFileSync(join(scratch, "app.ts"), textOf("app.ts"));
  const { app } = (await import(join(scratch, "app.ts"))) as { readonly app: Express };
  const backend = app.listen(0, "127.0.0.1");
  await once(backend, "listening");
  const { port } = backend.address() as AddressInfo;
  try {
    await using runtime = await createRuntime({
      coordinator: coordinator.url,
      trust: { root: coordinator.tufRoot },
      token: () =>
        fetch(`http://127.0.0.1:${port}/fl-token`, { method: "POST" }).then((answer) => answer.text()),
      dataDir: join(folder.path, "device-with-token"),
    });
    await vi.waitFor(async () => expect(await runtime.status()).toMatchObject({ connection: "connected" }), {
      timeout: 15_000,
    });
    const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
    expect((await api.devices()).devices).toMatchObject([{ tags: ["web"], connected: true }]);
  } finally {
    backend.close();
  }
});

test("its commands have the options that it names", async () => {
  const lines = blocks
    .filter(({ language }) => language === "sh")
    .flatMap(({ text }) => text.trim().split("\n"));
  const commands = lines.map((line) => line.replace(/^npx --yes pnpm@12 tributary /, "").split(" "));
  expect(commands.map(([name]) => name)).toEqual(["issue", "issue", "serve", "log"]);
  const pathOf = (words: readonly string[]) => words.slice(0, words[0] === "serve" ? 1 : 2);
  const helps = await Promise.all(
    commands.map((words) => startTributary([...pathOf(words), "--help"]).ended),
  );
  for (const [i, words] of commands.entries()) {
    const { code, stdout } = helps[i]!;
    expect(code).toBe(0);
    for (const option of words.filter((word) => word.startsWith("--"))) expect(stdout).toContain(option);
  }
});
