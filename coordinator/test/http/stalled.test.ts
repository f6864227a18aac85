import { once } from "node:events";
import { connect, type AddressInfo, type Socket } from "node:net";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { resolveConfig } from "../../src/config.ts";
import { createAccessPolicy } from "../../src/http/access-policy.ts";
import { createApp } from "../../src/http/app.ts";
import { guardFor } from "../operator.ts";

test("a client that asks and does not read is cut, one that reads is not", async () => {
  const config = resolveConfig({ dataDir: "unused", logLevel: "silent", limits: { stalledTimeoutMs: 300 } });
  const { app } = await createApp({
    config,
    access: createAccessPolicy(config),
    guard: guardFor({ anonymous: "viewer" }),
    version: "0",
  });
  const chunk = new Uint8Array(64 * 1024);
  let left = 1_000;
  app.get("/much", (_request, reply) =>
    reply.send(
      new Readable({
        read() {
          this.push(left-- > 0 ? chunk : null);
        },
      }),
    ),
  );
  await app.listen({ host: "127.0.0.1", port: 0 });
  try {
    const { port } = app.server.address() as AddressInfo;
    const accepted = once(app.server, "connection") as Promise<[Socket]>;
    const client = connect(port, "127.0.0.1").pause();
    client.on("error", () => {});
    client.write("GET /much HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    const [socket] = await accepted;
    await once(socket, "close");
    expect(left).toBeGreaterThan(0);
    client.destroy();

    left = 50;
    const answer = await fetch(`http://127.0.0.1:${port}/much`);
    expect((await answer.arrayBuffer()).byteLength).toBe(50 * chunk.length);
  } finally {
    await app.close();
  }
});
