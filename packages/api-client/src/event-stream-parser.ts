/** One dispatched message of a `text/event-stream`. */
export interface StreamMessage {
  /** Event name; `message` when the stream gave none. */
  readonly event: string;
  /** The data lines, joined by newlines. */
  readonly data: string;
  /** The message's own id; undefined when it has none, and so does not move the place to resume from. */
  readonly id: string | undefined;
}

export interface EventStreamParser {
  /** Feeds decoded text, cut anywhere. Returns the messages it completed. */
  push(text: string): StreamMessage[];
  /** The reconnection time the server asked for by `retry:`, in milliseconds. */
  readonly retryMs: number | undefined;
  /** Characters held back because their line or message is not complete. */
  readonly pending: number;
}

/**
 * Parses `text/event-stream` as the HTML standard says (§9.2.6), without any IO. Unlike there an id belongs to its own
 * message only: the caller keeps the last one, and can tell a message that cannot be resumed from.
 * Lines end in LF, CR or CRLF; a CR at the end of one piece of text may belong to an LF of the next.
 */
export function createEventStreamParser(): EventStreamParser {
  let buffer = "";
  let atStart = true;
  let skipLineFeed = false;
  let eventName = "";
  let data: string | undefined;
  let id: string | undefined;
  let retryMs: number | undefined;

  function field(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment: keep-alive
    const name = colon === -1 ? line : line.slice(0, colon);
    const raw = colon === -1 ? "" : line.slice(colon + 1);
    const value = raw.startsWith(" ") ? raw.slice(1) : raw;
    if (name === "event") eventName = value;
    else if (name === "data") data = data === undefined ? value : `${data}\n${value}`;
    else if (name === "id" && !value.includes("\0")) id = value;
    else if (name === "retry" && /^\d+$/.test(value)) retryMs = Number(value);
  }

  function dispatch(out: StreamMessage[]): void {
    if (data !== undefined) out.push({ event: eventName === "" ? "message" : eventName, data, id });
    eventName = "";
    data = undefined;
    id = undefined;
  }

  return {
    get retryMs() {
      return retryMs;
    },
    get pending() {
      return buffer.length + (data?.length ?? 0);
    },
    push(text) {
      const out: StreamMessage[] = [];
      if (text === "") return out;
      if (atStart) {
        atStart = false;
        if (text.startsWith("\uFEFF")) text = text.slice(1);
      }
      if (skipLineFeed && text.startsWith("\n")) text = text.slice(1);
      skipLineFeed = false;
      buffer += text;
      let from = 0;
      const lineEnd = /\r\n|\r|\n/g;
      for (let match = lineEnd.exec(buffer); match !== null; match = lineEnd.exec(buffer)) {
        const line = buffer.slice(from, match.index);
        from = match.index + match[0].length;
        if (match[0] === "\r" && from === buffer.length) skipLineFeed = true;
        if (line === "") dispatch(out);
        else field(line);
      }
      buffer = buffer.slice(from);
      return out;
    },
  };
}
