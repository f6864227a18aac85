import { useSyncExternalStore } from "react";

const PREFIX = "#/tasks/";

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}

/** The task named in the address, so that a view can be linked to and reloaded. */
export function useSelectedTask(): string | undefined {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  return hash.startsWith(PREFIX) ? decodeURIComponent(hash.slice(PREFIX.length)) : undefined;
}

export function taskHref(name: string): string {
  return `${PREFIX}${encodeURIComponent(name)}`;
}
