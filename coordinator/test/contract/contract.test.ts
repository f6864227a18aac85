import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readContract, type Contract, type Operation } from "./document.ts";
import { openContractRoom, type ContractRoom } from "./contract-room.ts";
import { Met, placesOf } from "./met.ts";
import { requestOf, type ContractRequest } from "./request.ts";

// Every operation of the document is asked for with what its schemas allow, and with what they do not; every answer is held to the
// document. `TRIBUTARY_TEST_SEED` takes a run again.

const FULL = process.env.TRIBUTARY_TEST_FULL === "1";
const REQUESTS = FULL ? 40 : 3;
const PASSES = FULL ? 5 : 2;
/** Requests with nothing wrong, of an operation that was answered by problems alone so far: before the others, and after. */
const EARLY = FULL ? 20 : 3;
const RETRIES = FULL ? 60 : 10;
const SEED = Number(process.env.TRIBUTARY_TEST_SEED ?? 20_261);

/**
 * The share of all operations that some request has to be answered well by. What no generated request can do is the rest: devices sign
 * what they send, and signatures of a release are made elsewhere.
 */
const REACH = 0.9;

let room: ContractRoom;
let contract: Contract;
let met: Met;
let session: Readonly<Record<string, string>> = {};
beforeAll(async () => {
  room = await openContractRoom();
  contract = readContract(
    (await (await fetch(`${room.url}/openapi.json`)).json()) as Record<string, unknown>,
  );
  met = new Met(contract, room.known);
});
afterAll(() => room?.end());

test(
  "no request, whatever is in it, is answered by what the document does not say, nor by an error of ours",
  { timeout: FULL ? 1_200_000 : 300_000 },
  async () => {
    const violations: string[] = [];
    const missed = new Set(contract.operations);
    const options = { contract, met, bytes: room.bytes };
    const requestsOf = (aimed: boolean) =>
      new Map(contract.operations.map((each) => [each, requestOf({ ...options, aimed }, each)]));
    const any = requestsOf(false);
    const aimed = requestsOf(true);
    const request = async (operation: Operation, seed: number, requests = any): Promise<void> => {
      const [drawn] = fc.sample(requests.get(operation)!, { numRuns: 1, seed });
      const { status, found } = await ask(drawn!);
      if (status < 300) missed.delete(operation);
      for (const each of found) violations.push(`seed ${seed}: ${describeRequest(drawn!)}: ${each}`);
    };
    // What is taken away comes last: the others meet it.
    const inOrder = contract.operations.toSorted((a, b) => Number(isEnd(a)) - Number(isEnd(b)));
    const makers = new Map(
      contract.operations.map((each) => [each, contract.operations.filter((other) => isMade(each, other))]),
    );
    const reach = async (from: number, tries: number): Promise<void> => {
      for (let attempt = 0; attempt < tries && missed.size > 0; attempt += 1) {
        const seed = SEED + 1_000_000 * (from + attempt);
        for (const operation of inOrder) {
          if (!missed.has(operation)) continue;
          // What it needs may have been removed.
          for (const each of makers.get(operation)!) await request(each, seed, aimed);
          await request(operation, seed, aimed);
        }
      }
    };
    // First while all is as it was set up: the more is asked for, the less is left of that.
    await reach(1, EARLY);
    for (let pass = 0; pass < PASSES; pass += 1)
      for (const [index, operation] of inOrder.entries())
        for (let each = 0; each < REQUESTS; each += 1)
          await request(operation, SEED + 100_000 * pass + 100 * index + each);
    await reach(1 + EARLY, RETRIES);
    expect(violations.slice(0, 40)).toEqual([]);
    const reached = 1 - missed.size / contract.operations.length;
    expect(reached, `not reached: ${[...missed].map(({ id }) => id).join(", ")}`).toBeGreaterThan(REACH);
  },
);

const isEnd = ({ method, path }: Operation): boolean =>
  method === "DELETE" || path.endsWith("/withdrawal") || path.endsWith("/revocation");

/** Whether what an operation is about is made, or listed, by another: `/v1/policies` and `PUT /v1/policies/{policy}` of that. */
function isMade(operation: Operation, { method, path }: Operation): boolean {
  // Whoever signs in has an account.
  if (method === "POST" && path === "/v1/operators" && operation.path.startsWith("/v1/session")) return true;
  if (method === "POST" && path === "/v1/session" && operation.path === "/v1/session/password") return true;
  return placesOf(operation).some(
    (place) =>
      (method === "PUT" && path === place && operation.method !== "PUT") ||
      (["POST", "GET"].includes(method) && `${path}/` === place.slice(0, place.lastIndexOf("/") + 1)),
  );
}

async function ask(request: ContractRequest): Promise<{ readonly status: number; readonly found: string[] }> {
  const { operation, path, body, sender, valid } = request;
  const headers = new Headers(request.headers);
  if (sender === "token") headers.set("authorization", `Bearer ${room.operatorToken}`);
  if (sender === "session") for (const [name, value] of Object.entries(session)) headers.set(name, value);
  const end = new AbortController();
  const response = await fetch(`${room.url}${path}`, {
    method: operation.method,
    headers,
    redirect: "manual",
    signal: end.signal,
    ...(body !== undefined && { body }),
  });
  const text = await bodyOf(operation, response);
  end.abort();
  const found = contract.violations(operation, response, text);
  const { status } = response;
  if (sender === "nobody" && operation.secured && status < 400)
    found.push(`status ${status} without credentials`);
  if (!valid && status < 300) found.push(`status ${status} of what its schema does not allow`);
  if (status < 300) learn(request, response, text);
  return { status, found };
}

/** What an answer tells is met by later requests; whoever signs in is who sends some of them. */
function learn({ operation, path }: ContractRequest, { headers }: Response, text: string): void {
  if (!(headers.get("content-type") ?? "").includes("json")) return;
  const answer = JSON.parse(text) as Readonly<Record<string, unknown>>;
  met.learn(operation, path, answer);
  const [cookie] = (headers.get("set-cookie") ?? "").split(";", 1);
  if (typeof answer["csrfToken"] === "string" && cookie)
    session = { cookie, "tributary-csrf": answer["csrfToken"] };
}

/** A stream of events does not end: its first bytes are enough. */
async function bodyOf({ answers }: Operation, response: Response): Promise<string> {
  if (answers["200"]?.content?.["text/event-stream"] === undefined || response.status !== 200)
    return response.text();
  const reader = response.body!.getReader();
  const { value } = await reader.read();
  return new TextDecoder().decode(value);
}

function describeRequest({ operation, path, headers, body, sender }: ContractRequest): string {
  const sent = typeof body === "string" ? body.slice(0, 300) : body && `${body.length} bytes`;
  return `${operation.method} ${path} of ${sender} ${JSON.stringify(headers)} ${sent ?? ""}`;
}
