import { SUBPROTOCOL } from "@tributary/protocol";
import { DEVICE_MESSAGES, SERVER_MESSAGES } from "../../gateway/socket-schemas.ts";
import type { Json } from "./openapi.ts";

/** The AsyncAPI 3.0 document of what is not asked and answered: the device socket, and the operators' events. */
export function asyncDocument(version: string): Json {
  const messages = { ...messagesOf(SERVER_MESSAGES), ...messagesOf(DEVICE_MESSAGES) };
  const reference = (name: string): Json => ({ $ref: `#/channels/device/messages/${name}` });
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Tributary coordinator: device socket",
      version,
      description: `Each message is one binary WebSocket frame: a byte that says which, then its fields in this order, little-endian, as packages/protocol/SPEC.md lays them out. The schemas say what a frame holds; bytes are shown in base64url. The connection begins with \`challenge\`, \`hello\` and \`welcome\`.`,
      license: { name: "Apache-2.0" },
    },
    defaultContentType: "application/octet-stream",
    channels: {
      device: {
        address: "/v1/connect",
        title: "Device socket",
        description: `WebSocket with the subprotocol ${SUBPROTOCOL}`,
        messages: Object.fromEntries(
          Object.keys(messages).map((name) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
        bindings: { ws: { method: "GET", bindingVersion: "0.1.0" } },
      },
    },
    operations: {
      receiveFromDevice: {
        action: "receive",
        channel: { $ref: "#/channels/device" },
        summary: "What a device says",
        messages: Object.keys(DEVICE_MESSAGES).map(reference),
      },
      sendToDevice: {
        action: "send",
        channel: { $ref: "#/channels/device" },
        summary: "What the coordinator says",
        messages: Object.keys(SERVER_MESSAGES).map(reference),
      },
    },
    components: { messages },
  };
}

function messagesOf(schemas: Readonly<Record<string, object>>): Record<string, Json> {
  const plain = JSON.parse(JSON.stringify(schemas)) as Readonly<Record<string, { description: string }>>;
  return Object.fromEntries(
    Object.entries(plain).map(([name, { description, ...payload }]) => [
      name,
      { name, title: name, summary: description, contentType: "application/octet-stream", payload },
    ]),
  );
}
