/** What a tab that may take part in rounds does only in its turn. */
import { abortable, failure, toFailure } from "@tributary/core";
import type { Clock } from "@tributary/core";
import { isConsent } from "../consent.ts";
import type { Device, ParticipateRequest } from "../device.ts";
import type { RuntimeEvent } from "../runtime.ts";
import type { OpenSocket, Socket } from "../transport/socket.ts";
import type { TabLeader } from "./tab-leader.ts";

/** Not sent by any server: another tab holds the connection. */
const OTHER_TAB = 4001;

/** Opens sockets from this tab's turn on. Before it an opening waits, and ends like any other when it is given up. */
export function connectAsLeader(openSocket: OpenSocket, leader: TabLeader): OpenSocket {
  return (options, handlers) => {
    if (leader.leading) return openSocket(options, handlers);
    let socket: Socket | undefined;
    let givenUp = false;
    void leader.turn.then(() => {
      if (!givenUp) socket = openSocket(options, handlers);
    });
    return {
      get bufferedBytes() {
        return socket?.bufferedBytes ?? 0;
      },
      send: (frame) => socket?.send(frame),
      close(code, reason) {
        if (socket !== undefined) return socket.close(code, reason);
        if (givenUp) return;
        givenUp = true;
        handlers.closed({ code: OTHER_TAB, reason: "another tab holds the connection" });
      },
    };
  };
}

/**
 * The same device, but it takes part only in its turn. While another tab leads, a problem event `runtime/locked` says
 * so, and this one takes over when that tab is gone.
 */
export function trainAsLeader(device: Device, leader: TabLeader, clock: Pick<Clock, "now">): Device {
  const listeners = new Set<(event: RuntimeEvent) => void>();
  let waiting: AbortController | undefined;
  /** What it will ask for in its turn. */
  let wanted: ParticipateRequest | undefined;

  const report = (error: unknown): void => {
    const { code, message, retryable } = toFailure(error);
    for (const listener of listeners)
      listener({ type: "problem", at: clock.now(), code, message, retryable });
  };
  const participateInTurn = async (signal: AbortSignal): Promise<void> => {
    report(
      failure("runtime/locked", "runtime: another tab of this site takes part; this one waits for its turn"),
    );
    await abortable(leader.turn, signal);
    if (wanted !== undefined) await device.participate(wanted);
    wanted = undefined;
  };
  const withdraw = (): void => {
    waiting?.abort(new DOMException("The participation was stopped.", "AbortError"));
    waiting = undefined;
    wanted = undefined;
  };

  return {
    ...device,
    async participate(request) {
      withdraw();
      if (leader.leading || !isConsent(request.consent)) return device.participate(request);
      const controller = new AbortController();
      waiting = controller;
      wanted = request;
      participateInTurn(controller.signal).catch((error: unknown) => {
        if (!controller.signal.aborted) report(error);
      });
    },
    async setConsent(consent) {
      if (wanted === undefined) return device.setConsent(consent);
      wanted = { ...wanted, consent };
    },
    async stopParticipating() {
      withdraw();
      await device.stopParticipating();
    },
    async forget(options) {
      withdraw();
      return await device.forget(options);
    },
    subscribe(listener) {
      listeners.add(listener);
      const unsubscribe = device.subscribe(listener);
      return () => {
        listeners.delete(listener);
        unsubscribe();
      };
    },
    async close() {
      withdraw();
      await device.close();
    },
  };
}
