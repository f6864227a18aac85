import { Agent, EnvHttpProxyAgent, request, type Dispatcher } from "undici";
import { failure } from "@tributary/core";
import type { Fetch, HttpResponse } from "../transport/requests.ts";

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
    const answer = await request(url, {
      method: method as Dispatcher.HttpMethod,
      headers: headers ?? {},
      body: body ?? null,
      signal,
      dispatcher: connections(),
    });
    const { location } = answer.headers;
    const { statusCode: status } = answer;
    if (status < 300 || status >= 400 || status === 304 || typeof location !== "string")
      return responseOf(url, answer);
    await answer.body.dump();
    // Nobody here sends anything that may not be sent again to an address that it gets by.
    if (redirect === "error" || method !== "GET" || redirects === MAX_REDIRECTS)
      throw failure("transport/connect-failed", `http: ${url} leads to another address, ${location}`);
    url = new URL(location, url).href;
  }
};

function responseOf(
  url: string,
  { statusCode: status, headers, body }: Dispatcher.ResponseData,
): HttpResponse {
  return {
    url,
    status,
    ok: status >= 200 && status < 300,
    headers: {
      get(name) {
        const value = headers[name.toLowerCase()] ?? null;
        return Array.isArray(value) ? value.join(", ") : value;
      },
    },
    body: {
      getReader() {
        const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
        return {
          async read() {
            const { done, value } = await chunks.next();
            return done === true ? { done, value: undefined } : { done: false, value };
          },
          async cancel() {
            body.destroy();
          },
        };
      },
    },
  };
}
