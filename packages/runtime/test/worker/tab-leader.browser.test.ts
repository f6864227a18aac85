import { systemClock } from "@tributary/core";
import { describe, expect, test } from "vitest";
import type { Device } from "../../src/device.ts";
import type { RuntimeEvent } from "../../src/runtime.ts";
import type { OpenSocket, SocketClosed } from "../../src/transport/socket.ts";
import { electLeader, shareReleases } from "../../src/worker/tab-leader.ts";
import { connectAsLeader, trainAsLeader } from "../../src/worker/tab-training.ts";
import type { TabLeader } from "../../src/worker/tab-leader.ts";

/** A leader whose turn the test says. */
function leaderLater(): { leader: TabLeader; lead: () => Promise<void> } {
  let leading = false;
  let begin = (): void => {};
  const turn = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const leader: TabLeader = {
    get leading() {
      return leading;
    },
    turn,
  };
  const lead = async (): Promise<void> => {
    leading = true;
    begin();
    await turn;
  };
  return { leader, lead };
}

test("with real locks the first tab leads, and the next when it is gone", async () => {
  const name = `leader-${crypto.randomUUID()}`;
  let leave = (): void => {};
  const held = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const first = navigator.locks.request(name, () => held); // a tab that will be closed
  const second = electLeader(navigator.locks, name);
  expect((await navigator.locks.query()).pending?.some((lock) => lock.name === name)).toBe(true);
  expect(second.leading).toBe(false);
  leave();
  await first;
  await second.turn;
  expect(second.leading).toBe(true);
});

describe("the control connection", () => {
  const options = { url: "ws://127.0.0.1:1/v1/connect", subprotocol: "tributary.v1", maxMessageBytes: 16 };
  const recorded = () => {
    const sent: Uint8Array[] = [];
    const opened: string[] = [];
    const openSocket: OpenSocket = ({ url }) => {
      opened.push(url);
      return { bufferedBytes: 7, send: (frame) => sent.push(frame), close() {} };
    };
    return { openSocket, opened, sent };
  };

  test("opens in this tab's turn, and is used as if it had always been there", async () => {
    const { leader, lead } = leaderLater();
    const { openSocket, opened, sent } = recorded();
    const closed: SocketClosed[] = [];
    const open = connectAsLeader(openSocket, leader);
    const handlers = { opened() {}, message() {}, closed: (why: SocketClosed) => closed.push(why) };
    const socket = open(options, handlers);
    expect([opened.length, socket.bufferedBytes]).toEqual([0, 0]);
    await lead();
    expect([opened.length, socket.bufferedBytes]).toEqual([1, 7]);
    socket.send(Uint8Array.of(1));
    expect(sent.length).toBe(1);
    open(options, handlers);
    expect([opened.length, closed.length]).toEqual([2, 0]);
  });

  test("an opening that is given up before ends once, and opens nothing later", async () => {
    const { leader, lead } = leaderLater();
    const { openSocket, opened } = recorded();
    const closed: SocketClosed[] = [];
    const open = connectAsLeader(openSocket, leader);
    const socket = open(options, { opened() {}, message() {}, closed: (why) => closed.push(why) });
    socket.close();
    socket.close();
    await lead();
    expect(closed).toEqual([{ code: 4001, reason: "another tab holds the connection" }]);
    expect(opened).toEqual([]);
  });
});

describe("training", () => {
  const request = { consent: true, when: "always" } as const;
  const device = (leader: TabLeader) => {
    const calls: string[] = [];
    const events: RuntimeEvent[] = [];
    const inner = {
      participate: async ({ when }: { when: string }) => void calls.push(`participate ${when}`),
      stopParticipating: async () => void calls.push("stop"),
      close: async () => void calls.push("close"),
      subscribe: () => () => {},
    } as unknown as Device;
    const trained = trainAsLeader(inner, leader, systemClock);
    trained.subscribe((event) => events.push(event));
    return { trained, calls, events };
  };

  test("a tab that does not lead says that it waits, and takes part when it is its turn", async () => {
    const { leader, lead } = leaderLater();
    const { trained, calls, events } = device(leader);
    await trained.participate(request);
    expect(calls).toEqual([]);
    expect(events).toMatchObject([{ type: "problem", code: "runtime/locked", retryable: true }]);
    await lead();
    await trained.stopParticipating();
    expect(calls).toEqual(["participate always", "stop"]);
  });

  test("a tab that waits and is stopped, or asks again, does not take part twice", async () => {
    const { leader, lead } = leaderLater();
    const { trained, calls } = device(leader);
    await trained.participate(request);
    await trained.participate({ ...request, when: "idle" });
    await lead();
    await trained.close();
    expect(calls).toEqual(["participate idle", "close"]);
    const stopped = leaderLater();
    const other = device(stopped.leader);
    await other.trained.participate(request);
    await other.trained.stopParticipating();
    await stopped.lead();
    expect(other.calls).toEqual(["stop"]);
  });

  test("the leader takes part at once", async () => {
    const { leader, lead } = leaderLater();
    await lead();
    const { trained, calls, events } = device(leader);
    await trained.participate(request);
    expect([calls, events]).toEqual([["participate always"], []]);
  });
});

test("a version that runs in one tab is looked for in the others, unless they have it", async () => {
  const tab = (channel: string) => {
    let emit: (event: RuntimeEvent) => void = () => {};
    let refresh: (model: string) => void = () => {};
    const refreshed = new Promise<string>((resolve) => {
      refresh = resolve;
    });
    const inner = {
      subscribe(listener: (event: RuntimeEvent) => void) {
        emit = listener;
        return () => {};
      },
      refresh: async (model: string) => refresh(model),
      close: async () => {},
    } as unknown as Device;
    const run = (version: number): void =>
      emit({ type: "running", model: "digits", version } as Extract<RuntimeEvent, { type: "running" }>);
    return { device: shareReleases(inner, channel), run, refreshed };
  };
  const channel = `releases-${crypto.randomUUID()}`;
  const [leader, behind, level] = [tab(channel), tab(channel), tab(channel)];
  let levelRefreshed = false;
  void level.refreshed.then(() => (levelRefreshed = true));
  behind.run(1);
  level.run(2);
  leader.run(2);
  expect(await behind.refreshed).toBe("digits");
  expect(levelRefreshed).toBe(false);
  await Promise.all([leader, behind, level].map(({ device: each }) => each.close()));
});
