import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { asPopulationName, silentLogger, systemEnv } from "@tributary/core";
import { createInProcessBus } from "../../src/adapters/bus/in-process-bus.ts";
import { resolveConfig } from "../../src/config.ts";
import { createEnrolment } from "../../src/enrolment/enrolment.ts";
import { createGateway } from "../../src/gateway/gateway.ts";
import type { ConnectedDevice, GatewayLimits, RoundMessage } from "../../src/gateway/gateway-types.ts";
import { createAccessPolicy } from "../../src/http/access-policy.ts";
import { createSteadyNow } from "../../src/steady-time.ts";
import { DeviceSocket, enrolDevice, type TestIdentity } from "../device-socket.ts";
import { openRoom } from "../room.ts";

export const population = asPopulationName("default");

/** A gateway on a real HTTP server with a real database, and what its handler was told. */
export async function openGateway(limits: Partial<GatewayLimits> = {}) {
  const room = await openRoom();
  const env = systemEnv();
  const bus = createInProcessBus(silentLogger);
  const enrolment = await createEnrolment({ ...room, env, store: room.store });
  const server = createServer((_request, response) => response.end());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const told: string[] = [];
  const messages: RoundMessage[] = [];
  const told1 = (what: string, { device }: ConnectedDevice) => told.push(`${what} ${device.slice(0, 4)}`);
  const access = createAccessPolicy(
    resolveConfig({ dataDir: room.config.dataDir, allowOrigins: { default: ["https://app.example"] } }),
  );
  const gateway = createGateway({
    steadyNow: createSteadyNow(env.clock),
    env,
    access,
    issuerPublicKey: enrolment.issuerPublicKey,
    store: room.store,
    bus,
    limits,
    handler: {
      connected: (from) => told1("connected", from),
      disconnected: (from) => told1("disconnected", from),
      message(from, message) {
        messages.push(message);
        told1(message.type, from);
      },
      running: (from, message) => told1(`running ${message.version}`, from),
      refusedVersion: (from, message) => told1(`refused ${message.version} ${message.code}`, from),
    },
  });
  gateway.attach(server);
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    gateway,
    bus,
    store: room.store,
    enrolment,
    told,
    messages,
    identity: (): Promise<TestIdentity> => enrolDevice(enrolment, population),
    device: async (options: { origin?: string } = {}): Promise<DeviceSocket> =>
      DeviceSocket.connect(url, await enrolDevice(enrolment, population), options),
    async close(): Promise<void> {
      await gateway.close();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      await bus.close();
      await room.dispose();
    },
  };
}

export type GatewayRoom = Awaited<ReturnType<typeof openGateway>>;
