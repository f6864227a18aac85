import { once } from "node:events";
import { createServer } from "node:net";
import { failure } from "@tributary/core";
import type { ResolvedConfig } from "../config.ts";
import type { App } from "./app.ts";

type Where = Pick<ResolvedConfig, "host" | "port">;

/** @returns the port. @throws `coordinator/port-in-use`, `coordinator/cannot-listen` */
export async function listen(app: App, where: Where): Promise<number> {
  await app.listen({ host: where.host, port: where.port }).catch((error: unknown) => {
    throw listenFailure(error, where);
  });
  const address = app.server.address();
  if (address === null || typeof address === "string") throw new TypeError("coordinator: no TCP address");
  return address.port;
}

/**
 * That one could listen there now: to be known before a start writes anything.
 *
 * @throws as `listen`
 */
export async function requireFreePort(where: Where): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  try {
    server.listen({ host: where.host, port: where.port });
    await once(server, "listening");
  } catch (error) {
    throw listenFailure(error, where);
  }
  server.close();
  await once(server, "close");
}

function listenFailure(cause: unknown, { host, port }: Where): unknown {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "EADDRINUSE")
    return failure(
      "coordinator/port-in-use",
      `coordinator: port ${port} on ${host} is in use; stop what uses it, or choose another with --port`,
      { detail: { host, port }, cause },
    );
  if (code === undefined || !["EACCES", "EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN"].includes(code))
    return cause;
  return failure("coordinator/cannot-listen", `coordinator: cannot listen on ${host}:${port}: ${message}`, {
    detail: { host, port },
    cause,
  });
}
