import type { ReleaseHttp } from "./release-http.ts";
import { isOffline } from "./retry.ts";

/** The same, but a blob that cannot be fetched because the network is away comes from what the app ships, if it is there. */
export function withSeed(http: ReleaseHttp, seed: Pick<ReleaseHttp, "blob"> | undefined): ReleaseHttp {
  if (seed === undefined) return http;
  return {
    ...http,
    async *blob(request) {
      let began = false;
      try {
        for await (const chunk of http.blob(request)) {
          began = true;
          yield chunk;
        }
      } catch (error) {
        if (began || !isOffline(error)) throw error;
        // What is not in there either is told as what it is: the network is away.
        const shipped = seed.blob(request);
        const first = await shipped.next().catch(() => {
          throw error;
        });
        if (first.done !== true) yield first.value;
        yield* shipped;
      }
    },
  };
}
