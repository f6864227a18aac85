/** The page's side of its service worker: registers it, has it keep the engine, and offers new versions. */
import type { PageMessage } from "./messages.ts";

export interface Offline {
  /** Keeps files of the engine; whether the page works without network now. */
  keep(urls: readonly string[]): Promise<boolean>;
}

/**
 * Registers the service worker of a built page; the development server has none.
 *
 * @param onNewVersion - a new version waits, or has taken over in another tab; the function takes it
 */
export function workOffline(onNewVersion: (reload: () => void) => void): Offline {
  if (!import.meta.env.PROD || navigator.serviceWorker === undefined) return { keep: async () => false };
  const container = navigator.serviceWorker;
  const registered = register(container, onNewVersion);
  return {
    async keep(urls) {
      if (!(await registered)) return false;
      const { active } = await container.ready;
      const { port1, port2 } = new MessageChannel();
      const answer = new Promise<boolean>((resolve) => {
        port1.addEventListener("message", ({ data }) => resolve(data === true), { once: true });
        port1.start();
      });
      active?.postMessage({ type: "keep", urls } satisfies PageMessage, [port2]);
      return await answer;
    },
  };
}

/** False where the browser refuses, as in some private windows, or the server has none. */
async function register(
  container: ServiceWorkerContainer,
  onNewVersion: (reload: () => void) => void,
): Promise<boolean> {
  let reload: (() => void) | undefined;
  const wasControlled = container.controller !== null;
  container.addEventListener("controllerchange", () => {
    if (reload !== undefined) return reload();
    // The first one ever is the version that this page is of.
    if (wasControlled) onNewVersion(() => location.reload());
  });
  let registration: ServiceWorkerRegistration;
  try {
    registration = await container.register(new URL("service-worker.js", document.baseURI), {
      updateViaCache: "none",
    });
  } catch {
    return false;
  }
  const offer = (): void => {
    const { waiting } = registration;
    if (waiting === null || container.controller === null) return;
    onNewVersion(() => {
      reload = () => location.reload();
      waiting.postMessage({ type: "take-over" } satisfies PageMessage);
    });
  };
  offer();
  registration.addEventListener("updatefound", () => {
    registration.installing?.addEventListener("statechange", offer);
  });
  // A page that stays open for days is one that is looked at again.
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") registration.update().catch(() => undefined);
  });
  return true;
}
