import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { failure } from "@tributary/core";

/** What a browser is shown in the end: of the command line's own words alone, as they are not escaped. */
export interface LastPage {
  readonly title: string;
  readonly text: string;
}

/** What the browser brought. */
export interface BrowserAnswer {
  /** Undefined: whoever sits there refused. */
  readonly code: string | undefined;
  /** Tells them what became of it. */
  show(page: LastPage): Promise<void>;
}

/** Where the browser brings an answer: a port that is free, of this machine alone (RFC 8252, 7.3). */
export interface Loopback extends AsyncDisposable {
  readonly port: number;
  /** @throws `cli/login-expired` where none came in so long */
  answer(timeoutMs: number): Promise<BrowserAnswer>;
}

/** @param state - comes back with the answer: what comes without it is not the one that is waited for */
export async function openLoopback(state: string): Promise<Loopback> {
  const answered = Promise.withResolvers<BrowserAnswer>();
  // Begun now, as it takes a second: by the time somebody allows it, it is there.
  const pages = import("@tributary/coordinator");
  pages.catch(() => {});

  const send = async (response: ServerResponse, status: number, page: LastPage): Promise<void> => {
    const { plainPage, PLAIN_PAGE_CSP } = await pages;
    response.writeHead(status, {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": PLAIN_PAGE_CSP,
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      connection: "close",
    });
    response.end(plainPage(page.title, page.text));
    if (!response.writableFinished && !response.destroyed) await once(response, "close");
  };
  const server = createServer((request, response) => {
    const answer = answerOf(request, state);
    if (answer === undefined) return void send(response, 404, NOT_WAITED_FOR);
    answered.resolve({ ...answer, show: (page) => send(response, 200, page) });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    port: (server.address() as AddressInfo).port,
    async answer(timeoutMs) {
      const signal = AbortSignal.timeout(timeoutMs);
      signal.addEventListener("abort", () => {
        const minutes = Math.round(timeoutMs / 60_000);
        answered.reject(
          failure("cli/login-expired", `nobody allowed it in the browser within ${minutes} minutes`),
        );
      });
      return answered.promise;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const NOT_WAITED_FOR: LastPage = {
  title: "Nothing is waited for here",
  text: "The command line waits for another answer. Open the address that it printed.",
};

function answerOf(
  { method, url = "" }: IncomingMessage,
  state: string,
): Pick<BrowserAnswer, "code"> | undefined {
  if (method !== "GET" || !url.startsWith("/?")) return undefined;
  const parameters = new URLSearchParams(url.slice(2));
  if (!sameText(parameters.get("state") ?? "", state)) return undefined;
  const code = parameters.get("code");
  if (code !== null) return { code };
  return parameters.get("error") === "access_denied" ? { code: undefined } : undefined;
}

/** Compares in constant time. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
