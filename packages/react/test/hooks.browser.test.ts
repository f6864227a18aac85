import { silentLogger, systemClock } from "@tributary/core";
import type { Runtime } from "@tributary/runtime";
import { deleteDB } from "idb";
import { createElement, StrictMode, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createRuntimeOf } from "../../runtime/src/runtime-of.ts";
import { TRUST_DEFAULTS } from "../../runtime/src/trust-limits.ts";
import { memoryBudget } from "../../runtime/src/worker/recycling.ts";
import { createRemoteDevice } from "../../runtime/src/worker/remote-device.ts";
import { useModel, useParticipation } from "../src/index.ts";

// A real page's runtime in its worker, with releases that the test signs there; there is no coordinator to be reached.
let database: string;
let lifeLock: string;
let runtime: Runtime;
let root: Root;

beforeEach(() => {
  localStorage.clear();
  database = `react-${crypto.randomUUID()}`;
  lifeLock = `life-${crypto.randomUUID()}`;
  runtime = createRuntimeOf(
    createRemoteDevice({
      spawn: () =>
        new Worker(new URL("../../runtime/test/worker/release-worker.ts", import.meta.url), {
          type: "module",
        }),
      start: {
        config: {
          source: { coordinator: "https://fl.example.org", releases: "https://fl.example.org/v1/" },
          population: "default",
          software: "test",
          limits: TRUST_DEFAULTS,
          tags: [],
        },
        enrols: false,
        database,
        lifeLock,
        leaderLock: `train-${database}`,
        engine: { prefer: "wasm" },
        logToConsole: false,
      },
      token: async () => "none",
      locks: navigator.locks,
      clock: systemClock,
      log: silentLogger,
      budget: memoryBudget({}),
    }),
  );
  root = createRoot(document.body.appendChild(document.createElement("main")));
});
afterEach(async () => {
  root.unmount();
  document.querySelector("main")!.remove();
  await runtime.close();
  await deleteDB(database);
});

function release(version: number): Promise<void> {
  const channel = new BroadcastChannel(lifeLock);
  return new Promise((resolve) => {
    channel.addEventListener("message", () => {
      channel.close();
      resolve();
    });
    channel.postMessage(version);
  });
}

const shown = (): string => document.querySelector("main")!.textContent ?? "";
const seen: { progress: number; model: ReturnType<typeof useModel>["model"] } = {
  progress: 0,
  model: undefined,
};

function Model({ name, of }: { readonly name: string; readonly of: Runtime | undefined }): ReactNode {
  const { model, state, progress, error } = useModel(of, name);
  if (progress !== undefined) seen.progress += 1;
  seen.model = model;
  if (error !== undefined) return `error ${(error as Error & { code: string }).code}`;
  return state === undefined ? "loading" : `version ${state.version} on ${state.engine}`;
}

function Consent(): ReactNode {
  const { consents, words, change } = useParticipation(runtime);
  return createElement(
    "button",
    { onClick: () => change({ training: !consents.training }) },
    `${consents.training ? "on" : "off"}: ${words}`,
  );
}

test("a model is opened, follows its releases, and is let go with the component", async () => {
  const show = (of: Runtime | undefined, name = "digits"): void =>
    root.render(createElement(StrictMode, null, createElement(Model, { of, name })));
  show(undefined);
  await vi.waitFor(() => expect(shown()).toBe("loading"));
  show(runtime);
  await vi.waitFor(() => expect(shown()).toBe("version 1 on ort-wasm"), { timeout: 20_000 });
  expect(seen.progress).toBeGreaterThan(0);
  await release(2);
  await seen.model!.refresh();
  await vi.waitFor(() => expect(shown()).toBe("version 2 on ort-wasm"), { timeout: 20_000 });
  const { classes } = await seen.model!.run({ image: new Float32Array(784) });
  expect(classes).toHaveLength(1);

  show(runtime, "nothing");
  await vi.waitFor(() => expect(shown()).toMatch(/^error runtime\//), { timeout: 20_000 });
  show(undefined);
  await vi.waitFor(async () => expect((await runtime.status()).models).toEqual([]));
});

test("consent begins and ends taking part, in every component at once", async () => {
  root.render([createElement(Consent, { key: 1 }), createElement(Consent, { key: 2 })]);
  const off = "off: Off. Nothing about your examples is sent.";
  await vi.waitFor(() => expect(shown()).toBe(off + off));
  document.querySelector("button")!.click();
  await vi.waitFor(() => expect(shown().match(/on: /g)).toHaveLength(2));
  expect(localStorage.getItem("tributary-consent")).toBe('{"training":true,"telemetry":false}');
  document.querySelectorAll("button")[1]!.click();
  await vi.waitFor(() => expect(shown()).toBe(off + off));
  expect((await runtime.status()).participation).toBe("stopped");
});
