import { Agent, EnvHttpProxyAgent, type Dispatcher } from "undici";
import { failure } from "@tributary/core";
import type { Fetch, HttpResponse } from "../transport/requests.ts";
import { ReceivedBody } from "./received-body.ts";

/** As browsers do. */
const MAX_REDIRECTS = 20;

let dispatcher: Dispatcher | undefined;

/** Connections that all runtimes of the process share; by a proxy where Node is told so. An idle one does not keep the process alive. */
const connections = (): Dispatcher =>
  (dispatcher ??= process.env["NODE_USE_ENV_PROXY"] === "1" ? new EnvHttpProxyAgent() : new Agent());

/**
 * What a runtime needs of `fetch`, without what it does not: a request takes a fraction of the processor's time. Nothing is kept between
 * requests but connections.
 */
export const nodeFetch: Fetch = async (address, { method = "GET", headers, body, redirect, signal }) => {
  let url = address;
  for (let redirects = 0; ; redirects++) {
    const answer = await request(url, { method, headers: headers ?? {}, body: body ?? null }, signal);
    const location = answer.headers.get("location");
    const { status } = answer;
    if (status < 300 || status >= 400 || status === 304 || location === null) return answer;
    await answer.body.drain();
    // Nobody here sends anything that may not be sent again to an address that it gets by.
    if (redirect === "error" || method !== "GET" || redirects === MAX_REDIRECTS)
      throw failure("transport/connect-failed", `http: ${url} leads to another address, ${location}`);
    url = new URL(location, url).href;
  }
};

type Request = Pick<Dispatcher.DispatchOptions, "method" | "headers" | "body">;

interface Answer extends HttpResponse {
  readonly body: ReceivedBody;
}

/** By the dispatcher itself: what it offers on top makes a stream of each body, which costs more than the rest of a small answer. */
function request(url: string, request: Request, signal: AbortSignal): Promise<Answer> {
  const { origin, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    let controller: Dispatcher.DispatchController | undefined;
    let received: ReceivedBody | undefined;
    const fail = (error: Error): void => {
      signal.removeEventListener("abort", onAbort);
      received?.fail(error);
      reject(error);
    };
    const onAbort = (): void => {
      const reason = signal.reason as Error;
      fail(reason);
      controller?.abort(reason);
    };
    signal.addEventListener("abort", onAbort);
    connections().dispatch(
      { ...request, origin, path: pathname + search },
      {
        onRequestStart(started) {
          controller = started;
          if (signal.aborted) started.abort(signal.reason as Error);
        },
        onResponseStart(started, status, headers) {
          // Others come before the answer.
          if (status < 200) return;
          received = new ReceivedBody(started);
          resolve({
            url,
            status,
            ok: status < 300,
            headers: {
              get(name) {
                const value = headers[name.toLowerCase()] ?? null;
                return Array.isArray(value) ? value.join(", ") : value;
              },
            },
            body: received,
          });
        },
        onResponseData: (_, chunk) => received?.add(chunk),
        onResponseEnd() {
          signal.removeEventListener("abort", onAbort);
          received?.end();
        },
        onResponseError: (_, error) => fail(error),
      },
    );
  });
}
