import { writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { createApiClient, type RoundView } from "@tributary/api-client";
import { TASK } from "@tributary/cli";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { freePort } from "../src/free-port.ts";
import { runTributary, startTributary, type TributaryProcess } from "../src/tributary-process.ts";

const HEADER = /^round +version +participants +dropouts +secure +loss +accuracy +seconds +up +down$/;
/** Generous: how fast it is on how many cores is the benchmark's question. */
const FIRST_COMMIT_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 2_000;

const folder = temporaryFolder();
afterAll(() => folder.remove());

interface Row {
  readonly round: number;
  readonly version: number;
  readonly participants: number;
  readonly dropouts: number;
}

/** The table as it was printed, below its header. */
function rowsOf(lines: readonly string[]): Row[] {
  const header = lines.findIndex((line) => HEADER.test(line.trim()));
  return lines
    .slice(header + 1)
    .map((line) => line.trim().split(/ {2,}/))
    .filter((cells) => cells.length === 10)
    .map((cells) => cells.map(Number))
    .map(([round, version, participants, dropouts]) => ({
      round: round!,
      version: version!,
      participants: participants!,
      dropouts: dropouts!,
    }));
}

const rowOf = ({ number, version, reported, dropouts }: RoundView): Row => ({
  round: number,
  version: version!,
  participants: reported,
  dropouts,
});

async function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
      .once("connect", () => resolve(true))
      .once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** The page at this address once it is built; until then the answer says so. */
async function built(url: string): Promise<string> {
  return vi.waitFor(
    async () => {
      const answer = await fetch(url);
      const page = await answer.text();
      expect([answer.status, answer.headers.get("content-type")]).toEqual([
        200,
        expect.stringMatching(/^text\/html/),
      ]);
      expect(page).not.toMatch(/building/i);
      return page;
    },
    { timeout: 60_000, interval: 100 },
  );
}

describe("tributary start", () => {
  let port: number;
  let demoPort: number;
  const started = (rounds: number): TributaryProcess =>
    startTributary([
      ...`start --port ${port} --demo-port ${demoPort} --devices 4 --rounds ${rounds} --data-dir`.split(" "),
      join(folder.path, "data"),
    ]);

  beforeAll(async () => {
    port = await freePort();
    demoPort = await freePort();
  });

  test("prints its URLs and a row for each round, serves both pages, and Ctrl-C ends all of it within 2 s", async () => {
    const begin = performance.now();
    const tributary = started(2);
    expect(await tributary.line(/^dashboard /)).toContain(`http://127.0.0.1:${port}/`);
    expect(await tributary.line(/^demo /)).toContain(`http://127.0.0.1:${demoPort}/`);
    expect(await tributary.line(/^privacy /)).toContain("a trial");
    await tributary.line(/^ +1 +2 /);
    const firstCommitMs = performance.now() - begin;
    console.log(`first committed round ${(firstCommitMs / 1000).toFixed(1)} s after the command`);
    expect(firstCommitMs).toBeLessThan(FIRST_COMMIT_LIMIT_MS);

    expect(await built(`http://127.0.0.1:${port}/`)).toContain('<div id="root">');
    expect(await built(`http://127.0.0.1:${demoPort}/`)).toContain('data-testid="pad"');
    const redirect = await fetch(`http://127.0.0.1:${port}/demo/`, { redirect: "manual" });
    expect(redirect.status).toBe(302);
    expect(new URL(redirect.headers.get("location")!).href).toBe(`http://127.0.0.1:${demoPort}/`);

    await tributary.line(/^serving: /);
    const { rounds } = await createApiClient({ baseUrl: `http://127.0.0.1:${port}` }).rounds(TASK);
    expect(rounds.map(({ version }) => version)).toEqual([3, 2]);
    expect(rowsOf(tributary.lines)).toEqual(rounds.toReversed().map(rowOf));
    // Four devices are summed under masks, and every row says that this is not private.
    for (const { secure } of rounds) expect(secure).toMatchObject({ private: false });
    expect(tributary.lines.filter((line) => / {2}trial {2}/.test(line))).toHaveLength(2);
    expect(tributary.lines.filter((line) => HEADER.test(line.trim()))).toHaveLength(1);

    const asked = performance.now();
    tributary.signal("SIGINT");
    const { code, stdout, stderr } = await tributary.ended;
    const stopMs = performance.now() - asked;
    console.log(`stopped after ${Math.round(stopMs)} ms`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("stopping");
    expect(stopMs).toBeLessThan(STOP_LIMIT_MS);
    expect(tributary.groupAlive()).toBe(false);
    expect(await Promise.all([listens(port), listens(demoPort)])).toEqual([false, false]);
  });

  test("started again it goes on from the last committed version; Ctrl-C in a round is as quick", async () => {
    const tributary = started(50);
    await tributary.line(HEADER);
    await tributary.line(/^ +4 +5 /);
    expect(rowsOf(tributary.lines).slice(0, 2)).toMatchObject([
      { round: 3, version: 4 },
      { round: 4, version: 5 },
    ]);
    const asked = performance.now();
    tributary.signal("SIGINT");
    const { code, stderr } = await tributary.ended;
    const stopMs = performance.now() - asked;
    console.log(`stopped in a round after ${Math.round(stopMs)} ms`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stopMs).toBeLessThan(STOP_LIMIT_MS);
    expect(tributary.groupAlive()).toBe(false);
  });

  test("a second signal kills at once", async (context) => {
    if (process.env.TRIBUTARY_TEST_FULL !== "1") context.skip("starts it all once more: test:full runs it");
    const tributary = started(50);
    await tributary.line(HEADER);
    // Both are there before the first is answered: a clean stop cannot be faster than the second.
    tributary.signal("SIGSTOP");
    tributary.signal("SIGINT");
    tributary.signal("SIGTERM");
    const asked = performance.now();
    tributary.signal("SIGCONT");
    expect((await tributary.ended).code).toBeOneOf([130, 143]);
    console.log(`killed after ${Math.round(performance.now() - asked)} ms`);
    expect(tributary.groupAlive()).toBe(false);
  });
});

describe("tributary start says in one line", () => {
  let taken: Server;
  let takenPort: number;
  beforeAll(async () => {
    takenPort = await freePort();
    taken = createServer();
    await new Promise<void>((resolve) => taken.listen(takenPort, "127.0.0.1", resolve));
    writeFileSync(join(folder.path, "train-images-idx3-ubyte"), "not IDX");
  });
  afterAll(() => taken.close());

  test.each<[string, () => string[], number, () => string]>([
    ["that it does not know a flag", () => ["--rouns", "3"], 2, () => "unknown option '--rouns'"],
    ["what a flag may be", () => ["--devices", "many"], 2, () => "from 1 to 1000"],
    [
      "that its port is in use",
      () => ["--port", String(takenPort)],
      1,
      () => `port ${takenPort} on 127.0.0.1`,
    ],
    [
      "that the demo's port is in use",
      () => ["--port", "0", "--demo-port", String(takenPort)],
      1,
      () => `demo: port ${takenPort} on 127.0.0.1`,
    ],
    ["that there is no data set", () => ["--dataset", "/nowhere"], 5, () => "/nowhere"],
    ["that a data set is not one", () => ["--dataset", folder.path], 1, () => "train-images-idx3-ubyte"],
  ])("%s", async (_, args, code, words) => {
    const dataDir = join(folder.path, "refused");
    const ended = await runTributary(["start", "--demo-port", "0", "--data-dir", dataDir, ...args()]);
    expect(ended).toMatchObject({ code, stdout: "" });
    expect(ended.stderr).toMatch(/^tributary: .+\n$/);
    expect(ended.stderr).toContain(words());
  });

  test("what each of its flags is for", async () => {
    const { code, stdout, stderr } = await runTributary(["start", "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const flag of [
      "--port <n>",
      "--host <address>",
      "--data-dir <dir>",
      "--devices <n>",
      "--rounds <n>",
      "--no-fleet",
      "--no-secure-aggregation",
      "--dataset <dir>",
    ]) {
      expect(stdout).toMatch(new RegExp(`^ +${flag} {2,}\\S`, "m"));
    }
  });
});
