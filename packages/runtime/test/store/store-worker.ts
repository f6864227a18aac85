/** A page's store where it lives, in a dedicated worker; the page calls its methods by their path. */
import { silentLogger, systemClock } from "@tributary/core";
import { openBrowserStore } from "../../src/store/browser-store.ts";
import { settle } from "../../src/worker/error-transfer.ts";

export interface StoreCall {
  readonly id: number;
  /** Such as `["blobs", "read"]`; `["open"]` opens it under the name that is the first argument. */
  readonly path: readonly string[];
  readonly args: readonly unknown[];
}

type Methods = Readonly<Record<string, (...args: readonly unknown[]) => Promise<unknown>>>;

let store: Awaited<ReturnType<typeof openBrowserStore>> | undefined;

async function call({ path: [part, method], args }: StoreCall): Promise<unknown> {
  if (part === "open") {
    store = await openBrowserStore({ name: String(args[0]), clock: systemClock, log: silentLogger });
    return store.space?.kind;
  }
  if (method === undefined) return await store!.close();
  return await (store![part as "blobs"] as unknown as Methods)[method]!(...args);
}

addEventListener("message", ({ data }: MessageEvent<StoreCall>) => {
  void settle(() => call(data)).then((result) => postMessage({ id: data.id, result }));
});
