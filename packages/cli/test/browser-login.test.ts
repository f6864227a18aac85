import { EventEmitter } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiClient, TributaryError, type ApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { silentLogger } from "@tributary/core";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { tokenByBrowser } from "../src/access/browser-sign-in.ts";
import { openLoopback } from "../src/access/loopback.ts";
import { hasDisplay, openBrowser } from "../src/access/open-browser.ts";
import { EXIT_CODES } from "../src/exit-codes.ts";
import { runMain } from "./run-main.ts";
import { hasTerminal, tributaryOnTerminal } from "./tributary-process.ts";

const opener = vi.hoisted(() => vi.fn<(address: string) => Promise<unknown>>());
vi.mock("open", () => ({ default: opener }));

const PASSWORD = "correct horse battery";
const WANTED = { machine: "laptop", days: 7 };
let folder: string;
let coordinator: Coordinator;
let api: ApiClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-browser-login-"));
  coordinator = await createCoordinator({
    dataDir: join(folder, "data"),
    port: 0,
    logLevel: "silent",
    env: { log: silentLogger, passwordCost: { logN: 4, r: 8, p: 1 } },
  });
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.addOperator({ name: "ada", password: PASSWORD, grants: [{ model: "*", role: "operator" }] });
  vi.stubEnv("XDG_CONFIG_HOME", join(folder, "config"));
  vi.stubEnv("TRIBUTARY_TOKEN", "");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await coordinator?.close();
  await rm(folder, { recursive: true });
});

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => (TributaryError.is(error) ? error.code : error),
  );

/** What the page does for whoever presses Allow. @returns what the browser is sent to */
async function allowed(address: string): Promise<{ readonly back: URL; readonly asked: URLSearchParams }> {
  const asked = new URL(address).searchParams;
  const signedIn = await fetch(`${coordinator.url}/v1/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "ada", password: PASSWORD }),
  });
  const { csrfToken } = (await signedIn.json()) as { csrfToken: string };
  const cookie = signedIn.headers.get("set-cookie")!.split(";", 1)[0]!;
  const page = createApiClient({
    baseUrl: coordinator.url,
    csrfToken,
    fetch: (input, init) => {
      const request = new Request(input, init);
      request.headers.set("cookie", cookie);
      return fetch(request);
    },
  });
  const code = await page.createLoginCode({
    challenge: asked.get("challenge")!,
    machine: asked.get("machine")!,
    days: Number(asked.get("days")),
    grants: [{ model: "*", role: "viewer" }],
  });
  const back = new URL(`http://127.0.0.1:${asked.get("port")}/`);
  back.search = new URLSearchParams({ code, state: asked.get("state")! }).toString();
  return { back, asked };
}

describe("signing in by the browser", () => {
  test("asks for what is wanted, and gets the token of whoever allows it", async () => {
    let page: Promise<Response> | undefined;
    const made = await tokenByBrowser(
      coordinator.url,
      { ...WANTED, grants: [{ model: "digits", role: "viewer" }] },
      {
        async show(address) {
          const { back, asked } = await allowed(address);
          expect(address.startsWith(`${coordinator.url}/sign-in/command-line?`)).toBe(true);
          expect(Object.fromEntries(asked)).toMatchObject({
            machine: "laptop",
            days: "7",
            role: "viewer@digits",
            state: expect.stringMatching(/^[\w-]{43}$/) as string,
            challenge: expect.stringMatching(/^[\w-]{43}$/) as string,
          });
          page = fetch(back);
        },
      },
    );
    expect(made.view).toMatchObject({ account: "ada", label: "login laptop" });
    const shown = await page!;
    expect([shown.status, shown.headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(shown.headers.get("content-security-policy")).toContain("default-src 'none'");
    const text = await shown.text();
    expect(text).toContain("You can close this page");
    expect(text).not.toContain(made.token);
    expect((await createApiClient({ baseUrl: coordinator.url, token: made.token }).models()).length).toBe(0);
  });

  test("fails with a code that the coordinator does not take, and says so in the browser too", async () => {
    let page: Promise<Response> | undefined;
    const work = tokenByBrowser(coordinator.url, WANTED, {
      async show(address) {
        const { back } = await allowed(address);
        back.searchParams.set("code", "another");
        page = fetch(back);
      },
    });
    expect(await codeOf(work)).toBe("identity/invalid-login-code");
    expect(await (await page!).text()).toContain("is not signed in");
  });

  test("waits for so long", async () => {
    const work = tokenByBrowser(coordinator.url, WANTED, { show: async () => {}, timeoutMs: 20 });
    expect(await codeOf(work)).toBe("cli/login-expired");
  });

  test("is refused over plain HTTP to another machine, and beside a password", async () => {
    const plain = await runMain("login", "http://fl.example.org", "--browser");
    expect([plain.code, plain.stderr]).toEqual([EXIT_CODES.misuse, expect.stringContaining("--insecure")]);
    const both = await runMain("login", coordinator.url, "--browser", "--account", "ada");
    expect(both.code).toBe(EXIT_CODES.misuse);
  });
});

describe("the port of this machine", () => {
  const STATE = "of this command line";

  test("hears the answer that was asked for, and no other", async () => {
    await using loopback = await openLoopback(STATE);
    const answer = loopback.answer(60_000);
    const ask = (query: Record<string, string>, path = "/", method = "GET") =>
      fetch(`http://127.0.0.1:${loopback.port}${path}?${new URLSearchParams(query).toString()}`, { method });
    for (const refused of [
      await ask({ code: "x" }),
      await ask({ code: "x", state: "another" }),
      await ask({ state: STATE }),
      await ask({ error: "server_error", state: STATE }),
      await ask({ code: "x", state: STATE }, "/elsewhere"),
      await ask({ code: "x", state: STATE }, "/", "POST"),
    ])
      expect(refused.status).toBe(404);
    const page = ask({ code: "the code", state: STATE });
    const brought = await answer;
    expect(brought.code).toBe("the code");
    await brought.show({ title: "Done", text: "That is all." });
    expect(await (await page).text()).toContain("That is all.");
  });

  test("hears that somebody refused, and is closed afterwards", async () => {
    const loopback = await openLoopback(STATE);
    const answer = loopback.answer(60_000);
    const url = `http://127.0.0.1:${loopback.port}/`;
    const query = new URLSearchParams({ error: "access_denied", state: STATE });
    const page = fetch(`${url}?${query.toString()}`);
    const brought = await answer;
    expect(brought.code).toBeUndefined();
    await brought.show({ title: "Refused", text: "You refused it." });
    await (await page).text();
    await loopback[Symbol.asyncDispose]();
    await expect(fetch(url)).rejects.toThrow("fetch failed");
  });
});

describe("on a terminal", () => {
  test("the browser is used where OpenID Connect is offered, and a password is asked for where it is not", async (context) => {
    context.skip(!hasTerminal(), "nothing gives a command a terminal here: `script` of util-linux does");
    const withProvider = await createCoordinator({
      dataDir: join(folder, "with-provider"),
      port: 0,
      logLevel: "silent",
      oidc: { issuer: "http://127.0.0.1:1", clientId: "tributary", grants: ["groups=readers:viewer"] },
    });
    try {
      vi.stubEnv("DISPLAY", "");
      vi.stubEnv("WAYLAND_DISPLAY", "");
      // Somebody presses Ctrl-C.
      const shown = await tributaryOnTerminal(
        [["/sign-in/command-line", "\u0003"]],
        "login",
        withProvider.url,
      );
      expect(shown).toContain("Open in a browser on this machine");
      expect(shown).not.toContain("Account:");
    } finally {
      await withProvider.close();
    }
    const asked = await tributaryOnTerminal(
      [
        ["Account", "ada"],
        ["Password of ada", PASSWORD],
      ],
      "login",
      coordinator.url,
    );
    expect(asked).toContain("as ada: operator of all models");
  });
});

describe("the browser of this machine", () => {
  afterEach(() => vi.restoreAllMocks());

  test("is there where something can be shown", () => {
    expect(hasDisplay({}, "darwin")).toBe(true);
    expect(hasDisplay({}, "win32")).toBe(true);
    expect(hasDisplay({ DISPLAY: "" }, "linux")).toBe(false);
    for (const name of ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"])
      expect(hasDisplay({ [name]: ":0" }, "linux")).toBe(true);
  });

  test("opens an address; without a display nothing is opened", async () => {
    const address = "http://127.0.0.1:7700/sign-in/command-line?machine=laptop&days=30";
    vi.spyOn(process, "platform", "get").mockReturnValue("linux");
    for (const name of ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"]) vi.stubEnv(name, "");
    expect(await openBrowser(address)).toBe(false);
    expect(opener).not.toHaveBeenCalled();
    vi.stubEnv("DISPLAY", ":0");
    const begun = new EventEmitter();
    opener.mockResolvedValueOnce(begun);
    expect(await openBrowser(address)).toBe(true);
    expect(opener).toHaveBeenCalledWith(address);
    // That it could not be begun after all is no reason to end: the address was printed.
    begun.emit("error", new Error("no such program"));
    opener.mockRejectedValueOnce(new Error("no such program"));
    expect(await openBrowser(address)).toBe(false);
  });
});
