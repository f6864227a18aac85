import {
  createApiClient,
  subscribeEvents,
  type RolloutView,
} from "../../../packages/api-client/src/index.ts";
import { buildLinear } from "@tributary/onnx";
import { parseModelManifest, readRollout, readWithdrawnVersions } from "@tributary/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { releaseReader } from "../release-reader.ts";
import { runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";

let coordinator: RunningCoordinator;
beforeAll(async () => {
  coordinator = await runningCoordinator();
});
afterAll(() => coordinator.end());

test("a rollout over HTTP: started, read, followed, promoted, and its version withdrawn; devices read what is signed", async () => {
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  const codeOf = (call: Promise<unknown>) => call.catch((error: { code: string }) => error.code);
  const released = releaseReader(coordinator);
  const read = async (path: string) => {
    await released.client.refresh();
    return (await released.client.find(path)) === undefined ? undefined : released.download(path);
  };
  const seen: RolloutView["state"][] = [];
  const events = subscribeEvents(coordinator.url, {
    token: coordinator.operatorToken,

    onEvent: (event) => void (event.type === "rollout" && seen.push(event.data.state)),
  });
  try {
    await api.publishModel("digits", buildLinear({ seed: 1 }));
    const second = await api.publishModel("digits", buildLinear({ seed: 2 }), {
      release: false,
      runtime: "9.0.0",
    });
    expect(second.releasedAt).toBeNull();
    expect(await api.model("digits")).toMatchObject({ releasedVersion: 1, currentVersion: 2 });
    const arms = [{ name: "second", version: 2 }];
    const stranger = createApiClient({ baseUrl: coordinator.url });
    expect(await codeOf(stranger.startRollout("digits", { arms, gates: [] }))).toBe(
      "identity/not-authorized",
    );
    expect(await codeOf(api.startRollout("digits", { arms }))).toBe("coordinator/no-rollout-evidence");
    expect(await codeOf(api.startRollout("digits", { arms: [] }))).toBe("protocol/invalid-document");
    const { rollout } = await api.startRollout("digits", {
      arms,
      gates: [],
      steps: [{ percent: 25, tags: ["staff"] }],
    });
    expect(await readRollout((await read("models/digits/stable.rollout.json"))!)).toMatchObject({
      control: 1,
      shares: [{ tags: ["staff"], share: 2500 }],
    });
    const arm = parseModelManifest((await read(`models/digits/rollouts/${rollout}/second.json`))!);
    expect(arm).toMatchObject({ version: 2, requires: { runtime: "9.0.0" } });
    expect(await api.changeRollout("digits", rollout, { action: "pause" })).toMatchObject({
      state: "paused",
    });
    expect(await codeOf(api.changeRollout("digits", rollout, { action: "pause" }))).toBe(
      "federation/rollout-state",
    );
    expect(await api.changeRollout("digits", rollout, { action: "promote" })).toMatchObject({
      state: "completed",
    });
    expect(await read("models/digits/stable.rollout.json")).toBeUndefined();
    expect((await api.rollouts("digits")).rollouts).toMatchObject([{ rollout, state: "completed" }]);
    expect(await api.withdrawVersion("digits", 2, "it answers nonsense")).toMatchObject({ version: 2 });
    expect(await readWithdrawnVersions((await read("models/digits/versions.withdrawn.json"))!)).toMatchObject(
      {
        versions: [{ version: 2, reason: "it answers nonsense" }],
      },
    );
    expect(await api.withdrawals("digits")).toMatchObject([{ version: 2 }]);
    expect(await api.model("digits")).toMatchObject({ releasedVersion: 1 });
    expect(await codeOf(api.releaseVersion("digits", 2))).toBe("coordinator/version-withdrawn");
    expect(await codeOf(api.rollout("digits", "none"))).toBe("coordinator/unknown-rollout");
    await vi.waitFor(() => expect(seen).toEqual(["running", "paused", "completed"]), 5_000);
  } finally {
    events.close();
  }
});
