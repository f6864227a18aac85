import type { RuntimeOptions } from "./runtime.ts";

/** Where a device gets releases from. */
export interface ReleaseSource {
  /** Origin of the coordinator, without a trailing slash; absent: nobody to connect to. */
  readonly coordinator?: string;
  /** URL of `tuf/` and `blobs/`, with a slash at its end. */
  readonly releases: string;
  /** The same of a release that the app ships, for a first start without network. */
  readonly seed?: string;
}

/** A folder may also lie in the file system. */
interface SourceRules {
  /** What relative URLs of folders are relative to. */
  readonly base?: string | undefined;
  readonly folders: readonly string[];
}

/**
 * @throws RangeError where it is not exactly one of `coordinator` and `models`, or one is no URL that can be read
 */
export function releaseSource(
  { coordinator, models, seed, token }: Pick<RuntimeOptions, "coordinator" | "models" | "seed" | "token">,
  { base, folders }: SourceRules,
): ReleaseSource {
  if ((coordinator === undefined) === (models === undefined)) {
    throw new RangeError("createRuntime: expected either coordinator or models, a folder of released files");
  }
  if (models !== undefined && token !== undefined) {
    throw new RangeError("createRuntime: a folder of models enrols nobody; token goes with a coordinator");
  }
  const shipped = seed === undefined ? {} : { seed: folderOf("seed", seed, base, folders) };
  if (models !== undefined) return { releases: folderOf("models", models, base, folders), ...shipped };
  const { origin } = urlOf("coordinator", coordinator!, base, ["http:", "https:"]);
  return { coordinator: origin, releases: `${origin}/v1/`, ...shipped };
}

function folderOf(
  name: string,
  value: string | URL,
  base: string | undefined,
  protocols: readonly string[],
): string {
  const url = urlOf(name, value, base, protocols);
  return `${url.origin === "null" ? "file://" : url.origin}${url.pathname.replace(/\/?$/, "/")}`;
}

function urlOf(
  name: string,
  value: string | URL,
  base: string | undefined,
  protocols: readonly string[],
): URL {
  let url: URL | undefined;
  try {
    url = new URL(value, base);
  } catch {
    // told below
  }
  if (url !== undefined && protocols.includes(url.protocol)) return url;
  const allowed = protocols.map((each) => each.slice(0, -1)).join(", ");
  throw new RangeError(
    `createRuntime: ${name} must be a URL (${allowed}), got ${JSON.stringify(String(value))}`,
  );
}
