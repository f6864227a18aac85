import { createServer, request as ask, type IncomingMessage } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export interface Download {
  readonly digest: string;
  readonly bytes: number;
  readonly isDelta: boolean;
}

/** A way to a coordinator that looks at the blobs which go over it. */
export interface WatchedDownloads extends AsyncDisposable {
  readonly url: string;
  readonly seen: readonly Download[];
  /** Deltas arrive with other bytes than were sent. */
  damage: boolean;
}

const BLOB = /^\/v1\/blobs\/([0-9a-f]{64})$/;

export async function watchDownloads(coordinator: string): Promise<WatchedDownloads> {
  const { hostname, port, host } = new URL(coordinator);
  const seen: Download[] = [];
  const server = createServer((request, response) => {
    const { method, url: path = "/", headers } = request;
    const upstream = ask(
      { hostname, port, method, path, headers: { ...headers, host } },
      (answer: IncomingMessage) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        const digest = BLOB.exec(path)?.[1];
        if (digest === undefined) return void answer.pipe(response);
        void buffer(answer).then((bytes) => {
          const isDelta = bytes.toString("latin1", 0, 4) === "TRWD";
          seen.push({ digest, bytes: bytes.length, isDelta });
          if (isDelta && watched.damage) bytes[bytes.length - 1]! ^= 1;
          return response.end(bytes);
        });
      },
    );
    upstream.on("error", () => response.destroy());
    response.on("close", () => upstream.destroy());
    request.pipe(upstream);
  });
  server.on("upgrade", (request, socket, head) => {
    const upstream = connect(Number(port), hostname, () => {
      const headers = { ...request.headers, host };
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`);
      upstream.write([`GET ${request.url} HTTP/1.1`, ...lines, "", ""].join("\r\n"));
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const watched: WatchedDownloads = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    damage: false,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return watched;
}
