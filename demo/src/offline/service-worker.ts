/**
 * Serves the page without network. What it keeps: the shell (page, styles, scripts), whole and of one version; the one WASM file
 * that runs here; and what the page's server last said of the site. Models are the runtime's business. A new version is fetched
 * beside the old one and waits until the page says so, or all of its tabs are closed.
 */
import type { PageMessage } from "./messages.ts";
import type { ServiceWorkerScope } from "./service-worker-types.ts";

/** Paths of the built files, without WASM. */
declare const __SHELL__: readonly string[];
/** Paths of the WASM files, of which a device uses one. */
declare const __ENGINES__: readonly string[];
declare const __VERSION__: string;

const worker = globalThis as unknown as ServiceWorkerScope;
const { scope } = worker.registration;

const PREFIX = "tributary-demo ";
const SHELL_CACHE = `${PREFIX}shell ${__VERSION__}`;
/** Lasts as long as the engine does: most new versions of the page have the same. */
const ENGINE_CACHE = `${PREFIX}engine ${__ENGINES__.join(" ")}`;
const SITE_CACHE = `${PREFIX}site`;
const PAGE = "index.html";
/** Told by the server anew each time; the last word holds while it cannot be reached. */
const SITE_FILES = ["tributary.json", "root.json"];
/** A server that is slower counts as away, where there is a copy. */
const PATIENCE_MS = 3000;

worker.addEventListener("install", (event) => event.waitUntil(install()));
worker.addEventListener("activate", (event) => event.waitUntil(activate()));

worker.addEventListener("message", (event) => {
  const message = event.data as PageMessage;
  if (message.type === "take-over") event.waitUntil(worker.skipWaiting());
  else event.waitUntil(answer(message.urls, event.ports[0]));
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const path = pathOf(request.url);
  if (request.method !== "GET" || path === undefined) return;
  if (request.mode === "navigate") {
    if (path === PAGE) event.respondWith(page());
  } else if (SITE_FILES.includes(path)) event.respondWith(newest(request));
  else if (__ENGINES__.includes(path)) event.respondWith(kept(ENGINE_CACHE, request));
  else if (__SHELL__.includes(path)) event.respondWith(kept(SHELL_CACHE, request));
});

/** All of the shell, or the version is not installed. */
async function install(): Promise<void> {
  const shell = await caches.open(SHELL_CACHE);
  await shell.addAll(
    // Names of assets hold their hash; the others are asked for anew.
    __SHELL__.map(
      (path) => new Request(scope + path, path.startsWith("assets/") ? {} : { cache: "no-cache" }),
    ),
  );
  await keepEngine(await successors());
}

async function activate(): Promise<void> {
  const current = [SHELL_CACHE, ENGINE_CACHE, SITE_CACHE];
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && !current.includes(name)) await caches.delete(name);
  }
  // Also the page that was loaded before there was a service worker.
  await worker.clients.claim();
}

/** The files of this version that stand where those stood that another version kept: the same but for the hash. */
async function successors(): Promise<string[]> {
  const stem = (path: string): string => path.replace(/-[\w-]{8}\.wasm$/, "");
  const used = new Set<string>();
  for (const name of await caches.keys()) {
    if (!name.startsWith(`${PREFIX}engine `)) continue;
    for (const { url } of await (await caches.open(name)).keys()) used.add(stem(pathOf(url) ?? ""));
  }
  return __ENGINES__.filter((path) => used.has(stem(path))).map((path) => scope + path);
}

/** The page of a first visit asked for its site's files before anybody was there to keep them: they are asked for once more. */
async function answer(urls: readonly string[], port: MessagePort | undefined): Promise<void> {
  const isKept = async (): Promise<boolean> => {
    const site = await Promise.all(SITE_FILES.map((path) => newest(new Request(scope + path))));
    return site.every(({ ok }) => ok) && (await keepEngine(urls));
  };
  port?.postMessage(await isKept().catch(() => false));
}

/** Whether all of them are kept now. Files that are no engine of this version are none of its business. */
async function keepEngine(urls: readonly string[]): Promise<boolean> {
  const cache = await caches.open(ENGINE_CACHE);
  for (const url of urls) {
    if (!__ENGINES__.includes(pathOf(url) ?? "")) return false;
    // It has just been loaded: the browser's own cache has it still.
    if ((await cache.match(url)) === undefined) await cache.add(url);
  }
  return urls.length > 0;
}

/**
 * The page of this version. Online it is asked for all the same: the server's headers, its content security policy among them,
 * may be others by now, and where the page is the same they hold. Where it is not, a new version is on its way.
 */
async function page(): Promise<Response> {
  const copy = await (await caches.open(SHELL_CACHE)).match(scope + PAGE);
  try {
    const fresh = await fetch(scope + PAGE, { cache: "no-cache", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (copy === undefined) return fresh;
    const isSame = fresh.ok && (await fresh.clone().text()) === (await copy.clone().text());
    return isSame ? fresh : copy;
  } catch (error) {
    if (copy === undefined) throw error;
    return copy;
  }
}

/** The copy; fetched again where the browser took it away. */
async function kept(name: string, request: Request): Promise<Response> {
  const cache = await caches.open(name);
  const copy = await cache.match(request.url);
  if (copy !== undefined) return copy;
  const response = await fetch(request);
  if (response.ok) await cache.put(request.url, response.clone());
  return response;
}

/** From the network, and where that is away the last answer. */
async function newest(request: Request): Promise<Response> {
  const cache = await caches.open(SITE_CACHE);
  const copy = await cache.match(request.url);
  try {
    const signal = copy === undefined ? {} : { signal: AbortSignal.timeout(PATIENCE_MS) };
    const response = await fetch(request, signal);
    if (response.ok) await cache.put(request.url, response.clone());
    return response.ok || copy === undefined ? response : copy;
  } catch (error) {
    if (copy === undefined) throw error;
    return copy;
  }
}

/** Below this worker's scope; the scope itself is the page. */
function pathOf(url: string): string | undefined {
  const [address = ""] = url.split(/[?#]/);
  return address.startsWith(scope) ? address.slice(scope.length) || PAGE : undefined;
}
