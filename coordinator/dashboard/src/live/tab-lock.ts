/** A lock that one tab of the origin holds at a time. */
export interface TabLock {
  /** Waits for the lock. `onLost` is called when another tab took it by `steal`. */
  request(onGranted: () => void, onLost: () => void): void;
  /** Takes the lock from its holder; a `request` must be waiting, and is granted by it. */
  steal(): void;
  /** Gives the lock back, or stops waiting for it. */
  release(): void;
}

/** By Web Locks: the browser passes the lock on when its holder's tab closes or crashes. */
export function createWebLock(locks: LockManager, name: string): TabLock {
  let attempt: { cancel: AbortController; done: () => void } | undefined;
  let callbacks: { onGranted: () => void; onLost: () => void } | undefined;

  function ask(steal: boolean): void {
    const cancel = new AbortController();
    let done = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      done = resolve;
    });
    const mine = { cancel, done };
    attempt = mine;
    let granted = false;
    const hold = async (): Promise<void> => {
      granted = true;
      callbacks?.onGranted();
      await held;
    };
    // `steal` and `signal` exclude each other.
    const request = steal
      ? locks.request(name, { steal: true }, hold)
      : locks.request(name, { signal: cancel.signal }, hold);
    request.catch(() => {
      // Stolen while held; a cancelled wait (never granted) needs no word.
      if (granted && attempt === mine) callbacks?.onLost();
    });
  }

  return {
    request(onGranted, onLost) {
      callbacks = { onGranted, onLost };
      ask(false);
    },
    steal() {
      attempt?.cancel.abort();
      ask(true);
    },
    release() {
      callbacks = undefined;
      attempt?.cancel.abort();
      attempt?.done();
      attempt = undefined;
    },
  };
}

/**
 * Without Web Locks (a page that is no secure context has none) each tab leads itself, but only while it can be seen:
 * browsers allow six connections per origin, and hidden tabs must not use them up.
 */
export function createVisibilityLock(page: Document): TabLock {
  let callbacks: { onGranted: () => void; onLost: () => void } | undefined;
  let held = false;

  function look(): void {
    const visible = page.visibilityState === "visible";
    if (visible === held || callbacks === undefined) return;
    held = visible;
    if (visible) callbacks.onGranted();
    else callbacks.onLost();
  }

  return {
    request(onGranted, onLost) {
      if (callbacks === undefined) page.addEventListener("visibilitychange", look);
      callbacks = { onGranted, onLost };
      queueMicrotask(look);
    },
    steal: look,
    release() {
      page.removeEventListener("visibilitychange", look);
      callbacks = undefined;
    },
  };
}
