import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEventStreamParser, type StreamMessage } from "../src/index.ts";

function parse(pieces: readonly string[]): StreamMessage[] {
  const parser = createEventStreamParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

describe("event stream (HTML standard 9.2.6)", () => {
  test("the standard's first example: three events, one of two lines", () => {
    expect(
      parse([
        "data: This is the first message.\n\ndata: second\ndata: line\n\nevent: add\ndata: 73857293\n\n",
      ]),
    ).toEqual([
      { event: "message", data: "This is the first message.", id: undefined },
      { event: "message", data: "second\nline", id: undefined },
      { event: "add", data: "73857293", id: undefined },
    ]);
  });

  test("the standard's example of ids: a comment is ignored, an empty id resets, one space is cut", () => {
    expect(
      parse([": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"]),
    ).toEqual([
      { event: "message", data: "first event", id: "1" },
      { event: "message", data: "second event", id: "" },
      { event: "message", data: " third event", id: undefined },
    ]);
  });

  test("an event without data is not dispatched, its name and id do not leak", () => {
    expect(parse(["event: round\nid: 7\n\ndata\n\n"])).toEqual([
      { event: "message", data: "", id: undefined },
    ]);
  });

  test("an unfinished event at the end is not dispatched", () => {
    const parser = createEventStreamParser();
    expect(parser.push("id: 42\ndata: x\n")).toEqual([]);
    expect(parser.pending).toBe(1);
    expect(parser.push("\n")).toEqual([{ event: "message", data: "x", id: "42" }]);
    expect(parser.pending).toBe(0);
  });

  test("retry is a whole number of milliseconds, anything else is ignored", () => {
    const parser = createEventStreamParser();
    parser.push("retry: 1.5\n");
    expect(parser.retryMs).toBeUndefined();
    parser.push("retry: 1500\n");
    expect(parser.retryMs).toBe(1500);
  });

  test("ids with NUL are ignored, and a byte order mark at the start", () => {
    expect(parse(["\uFEFFid: 1\ndata: a\n\nid: 2\0\ndata: b\n\n"]).map((message) => message.id)).toEqual([
      "1",
      undefined,
    ]);
  });

  test("property: where the text is cut, and how lines end, changes nothing", () => {
    const line = fc.oneof(
      fc.constantFrom(
        "",
        "",
        "data: a",
        "data:b",
        "event: round",
        "id: 5",
        ": comment",
        "retry: 10",
        "unknown: x",
      ),
      fc.string({ maxLength: 6 }).map((text) => text.replaceAll(/[\r\n\0\uFEFF]/g, "_")),
    );
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 30 }),
        fc.constantFrom("\n", "\r\n", "\r"),
        fc.array(fc.nat(), { maxLength: 12 }),
        (lines, end, cuts) => {
          const plain = `${lines.join("\n")}\n`;
          const text = lines.map((item) => item + end).join("");
          const at = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
          const pieces = [0, ...at].map((from, i) => text.slice(from, at[i] ?? text.length));
          expect(parse(pieces)).toEqual(parse(lines.length === 0 ? [] : [plain]));
        },
      ),
      { seed: 20261101 },
    );
  });
});
