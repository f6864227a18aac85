import { request, type ClientRequest } from "node:http";

export interface StreamEvent {
  readonly id: number | undefined;
  readonly type: string;
  readonly data: unknown;
}

/** One connection to the event stream, read event by event. */
export interface SseReader {
  readonly headers: Readonly<Record<string, unknown>>;
  /** The next event; rejects when the stream has ended. */
  next(): Promise<StreamEvent>;
  /** The next event of a type; others are dropped. */
  nextOf(type: string): Promise<StreamEvent>;
  /** Settles when the connection is closed. */
  readonly closed: Promise<void>;
  /** Everything received so far. */
  text(): string;
  pause(): void;
  close(): void;
}

export async function readEvents(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<SseReader> {
  const events: StreamEvent[] = [];
  const waiting: { resolve(event: StreamEvent): void; reject(error: Error): void }[] = [];
  let ended = false;
  let text = "";
  let buffer = "";
  const closing = Promise.withResolvers<void>();

  const finish = () => {
    ended = true;
    for (const waiter of waiting.splice(0)) waiter.reject(new Error("the event stream ended"));
    closing.resolve();
  };
  const take = (block: string) => {
    const fields = new Map(
      block
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith(":"))
        .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)] as const),
    );
    const data = fields.get("data");
    if (data === undefined) return;
    const id = fields.get("id");
    const event = {
      id: id === undefined ? undefined : Number(id),
      type: fields.get("event") ?? "message",
      data: JSON.parse(data) as unknown,
    };
    const waiter = waiting.shift();
    if (waiter === undefined) events.push(event);
    else waiter.resolve(event);
  };

  return new Promise((resolve, reject) => {
    const sent: ClientRequest = request(url, { headers, agent: false }, (answer) => {
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        text += chunk;
        buffer += chunk;
        const blocks = buffer.split("\n\n");
        buffer = blocks.pop() ?? "";
        blocks.forEach(take);
      });
      answer.on("close", finish);
      answer.on("error", finish);
      const reader: SseReader = {
        headers: { ...answer.headers, status: answer.statusCode },
        next() {
          const event = events.shift();
          if (event !== undefined) return Promise.resolve(event);
          if (ended) return Promise.reject(new Error("the event stream ended"));
          return new Promise((res, rej) => waiting.push({ resolve: res, reject: rej }));
        },
        async nextOf(type) {
          for (;;) {
            const event = await reader.next();
            if (event.type === type) return event;
          }
        },
        closed: closing.promise,
        text: () => text,
        pause: () => void answer.pause(),
        close: () => void sent.destroy(),
      };
      resolve(reader);
    });
    sent.on("error", (error) => {
      finish();
      reject(error);
    });
    sent.end();
  });
}
