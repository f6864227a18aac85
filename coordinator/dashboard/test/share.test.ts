import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ANSWER_MS, QUIET_MS, RECENT_EVENTS } from "../src/live/share.ts";
import { TabWorld } from "./tab-world.ts";

function worldOf(tabs: number): TabWorld {
  const world = new TabWorld();
  for (let i = 0; i < tabs; i += 1) world.openTab();
  world.settle();
  return world;
}

function expectComplete(world: TabWorld): void {
  world.settle();
  expect(world.leaders).toHaveLength(Math.min(1, world.tabs.length));
  const all = Array.from({ length: world.newest }, (_, i) => i + 1);
  for (const tab of world.tabs) {
    expect([...tab.shown].sort((a, b) => a - b)).toEqual(all);
    expect(tab.state.stream.status).toBe("live");
  }
}

describe("tabs that share one event stream", () => {
  test("eight tabs hold one stream, and all get every event once", () => {
    const world = worldOf(8);
    for (let i = 0; i < 20; i += 1) world.happen();
    expectComplete(world);
    expect(world.tabs.map((tab) => tab.repeated)).toEqual(Array.from({ length: 8 }, () => 0));
  });

  test("the leader goes in the middle: the next one resumes where the tabs are", () => {
    const world = worldOf(3);
    world.happen();
    world.settle();
    world.happen(); // on its way to the leader when the tab closes
    const [leader] = world.leaders;
    world.closeTab(leader!);
    expectComplete(world);
    expect(world.tabs.every((tab) => tab.repeated === 0)).toBe(true);
  });

  test("a tab that missed messages asks, and is given them from memory", () => {
    const world = worldOf(3);
    for (let i = 0; i < 3; i += 1) world.happen();
    world.settle();
    const late = world.tabs[2]!;
    for (let i = 0; i < 3; i += 1) world.happen();
    while (world.deliverEvent(world.leaders[0]!));
    late.inbox.splice(0, 2); // lost
    expectComplete(world);
    expect(late.repeated).toBe(0);
  });

  test("what the leader no longer remembers is read again", () => {
    const world = worldOf(2);
    world.happen();
    world.settle();
    for (let i = 0; i < RECENT_EVENTS + 5; i += 1) world.happen();
    while (world.deliverEvent(world.leaders[0]!));
    world.tabs[1]!.inbox.length = 0; // all lost
    world.happen();
    expectComplete(world);
  });

  test("a frozen leader loses the lock to a tab that is looked at, and gets in line when it wakes", () => {
    const world = worldOf(3);
    const [frozen] = world.leaders;
    frozen!.frozen = true;
    world.happen();
    world.settle();
    world.wait(QUIET_MS);
    world.settle();
    world.wait(ANSWER_MS);
    world.settle();
    expect(world.tabs.filter((tab) => !tab.frozen && tab.stream !== undefined)).toHaveLength(1);
    expect(world.tabs.filter((tab) => !tab.frozen).every((tab) => tab.shown.has(1))).toBe(true);
    world.thaw(frozen!);
    expectComplete(world);
  });

  test("a leader that answers keeps its lock, however quiet the stream is", () => {
    const world = worldOf(3);
    const [leader] = world.leaders;
    for (let i = 0; i < 10; i += 1) {
      world.wait(QUIET_MS);
      world.settle();
      world.wait(ANSWER_MS);
    }
    expect(world.leaders).toEqual([leader]);
  });

  test("property: whatever happens in whatever order, all tabs end with the same, complete picture", () => {
    const action = fc.record({
      kind: fc.constantFrom(
        "open",
        "close",
        "happen",
        "happen",
        "pass",
        "prune",
        "break",
        "message",
        "message",
        "event",
        "event",
        "freeze",
        "thaw",
        "wait",
        "lose",
      ),
      pick: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (script) => {
        const world = new TabWorld();
        for (const { kind, pick } of script) {
          const tab = world.tabs[pick % Math.max(1, world.tabs.length)];
          if (kind === "open" && world.tabs.length < 8) world.openTab();
          else if (kind === "happen") world.happen();
          else if (kind === "pass") world.pass();
          else if (kind === "prune") world.prune();
          else if (kind === "wait") world.wait(pick % 2 === 0 ? QUIET_MS : ANSWER_MS);
          else if (tab === undefined) continue;
          else if (kind === "close") world.closeTab(tab);
          else if (kind === "break") world.breakStream(tab);
          else if (kind === "message") world.deliverMessage(tab);
          else if (kind === "event") world.deliverEvent(tab);
          else if (kind === "lose" && tab.inbox[0]?.type === "events") tab.inbox.shift();
          else if (kind === "freeze") tab.frozen = true;
          else if (kind === "thaw") world.thaw(tab);
        }
        for (const tab of world.tabs) world.thaw(tab);
        world.settle();
        world.happen(); // the next event shows any tab what it missed
        expectComplete(world);
      }),
      { seed: 20261101, numRuns: 2000 },
    );
  });
});
