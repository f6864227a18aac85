import { Toast } from "@base-ui/react/toast";

/** Where notices are put; the frame shows them. */
export const notices = Toast.createToastManager();

/** Tells that something was done. It goes by itself, so nothing that must be read is told only here. */
export function tellDone(title: string, more?: string): void {
  notices.add({ title, type: "done", ...(more === undefined ? {} : { description: more }) });
}

/** Tells that something failed, until it is closed. */
export function tellFailed(title: string, error: unknown): void {
  notices.add({
    title,
    description: error instanceof Error ? error.message : String(error),
    type: "failed",
    priority: "high",
    timeout: 0,
  });
}
