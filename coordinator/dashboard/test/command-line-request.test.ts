import { describe, expect, test } from "vitest";
import { answerHref, commandLineRequest } from "../src/model/command-line-request.ts";

const SECRET = "s".repeat(43);
const ASKED = { machine: "laptop", days: "30", port: "49152", state: SECRET, challenge: "c".repeat(43) };
const read = (more: Record<string, string> = {}, ...roles: string[]) =>
  commandLineRequest(
    new URLSearchParams([
      ...Object.entries({ ...ASKED, ...more }),
      ...roles.map((role) => ["role", role]),
    ]).toString(),
  );

describe("what a command line asks for", () => {
  test("is read as tributary login writes it", () => {
    expect(read()).toEqual({
      machine: "laptop",
      days: 30,
      grants: undefined,
      port: 49_152,
      state: SECRET,
      challenge: ASKED.challenge,
    });
    expect(read({}, "operator@digits", "viewer@*")?.grants).toEqual([
      { role: "operator", model: "digits" },
      { role: "viewer", model: "*" },
    ]);
  });

  test.each<[string, Record<string, string>]>([
    ["a host", { port: "80@elsewhere.example" }],
    ["a host and a path", { port: "80.elsewhere.example/" }],
    ["no port", { port: "" }],
    ["a port that is none", { port: "65536" }],
    ["a port of another form", { port: "0x50" }],
    ["no state", { state: "" }],
    ["a state that says more", { state: `${SECRET}&code=x` }],
    ["no challenge", { challenge: "" }],
    ["a machine with a line of its own", { machine: "laptop\nand more" }],
    ["for ever", { days: "999" }],
    ["no time", { days: "0" }],
  ])("%s is asked of nobody", (_, more) => {
    expect(read(more)).toBeUndefined();
  });

  test("said twice, or of a role that is none, is asked of nobody", () => {
    expect(commandLineRequest(`${new URLSearchParams(ASKED).toString()}&port=80`)).toBeUndefined();
    for (const role of ["owner@digits", "viewer", "viewer@", "@digits"])
      expect(read({}, role)).toBeUndefined();
    expect(commandLineRequest("")).toBeUndefined();
  });
});

test("an answer goes to a port of this computer", () => {
  const request = read()!;
  expect(answerHref(request, { code: "a&b" })).toBe(`http://127.0.0.1:49152/?code=a%26b&state=${SECRET}`);
  expect(answerHref(request, "refused")).toBe(`http://127.0.0.1:49152/?error=access_denied&state=${SECRET}`);
});
