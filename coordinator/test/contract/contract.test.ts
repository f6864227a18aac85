import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readContract, type Contract, type Operation } from "./document.ts";
import { openContractRoom, type ContractRoom } from "./contract-room.ts";
import { requestOf, type ContractRequest } from "./request.ts";

// Every operation of the document is asked for with what its schemas allow, and with what they do not; every answer is held to the
// document. `TRIBUTARY_TEST_SEED` takes a run again.

const FULL = process.env.TRIBUTARY_TEST_FULL === "1";
const REQUESTS = FULL ? 150 : 4;
const PASSES = FULL ? 6 : 2;
const SEED = Number(process.env.TRIBUTARY_TEST_SEED ?? 20_261);

/** What no generated request can do: devices sign what they send, keys are made elsewhere, and a model's files are not guessed. */
const OUT_OF_REACH = new Set([
  "putKey",
  "getKeyDraft",
  "postKeySignatures",
  "postPopulationEnrolments",
  "deletePopulationDevice",
  "putPopulationDeviceHealth",
  "getCertificateLogInclusion",
  "getCertificateLogConsistency",
  "putRoundUpdate",
  "getSecureByRoundIdByStepByMember",
  "putSecureByRoundIdByStepByMemberByDigest",
  "postModelRollouts",
  "postModelVersions",
  "postTaskHead",
]);

let room: ContractRoom;
let contract: Contract;
beforeAll(async () => {
  room = await openContractRoom();
  contract = readContract(
    (await (await fetch(`${room.url}/openapi.json`)).json()) as Record<string, unknown>,
  );
});
afterAll(() => room?.end());

test(
  "no request, whatever is in it, is answered by what the document does not say, nor by an error of ours",
  { timeout: FULL ? 1_200_000 : 120_000 },
  async () => {
    const violations: string[] = [];
    const succeeded = new Set<string>();
    for (let pass = 0; pass < PASSES; pass += 1) {
      for (const [index, operation] of contract.operations.entries()) {
        const seed = SEED + 1_000 * pass + index;
        const requests = fc.sample(requestOf(contract, room, operation), { numRuns: REQUESTS, seed });
        for (const request of requests) {
          const { status, found } = await ask(request);
          if (status < 300) succeeded.add(operation.id);
          for (const each of found) violations.push(`seed ${seed}: ${describeRequest(request)}: ${each}`);
        }
      }
    }
    expect(violations.slice(0, 40)).toEqual([]);
    const within = contract.operations.filter(({ id }) => !OUT_OF_REACH.has(id));
    const reached = within.filter(({ id }) => succeeded.has(id));
    expect(reached.length / within.length).toBeGreaterThan(0.65);
  },
);

async function ask(request: ContractRequest): Promise<{ readonly status: number; readonly found: string[] }> {
  const { operation, path, body, operator, valid } = request;
  const headers = new Headers(request.headers);
  if (operator) headers.set("authorization", `Bearer ${room.operatorToken}`);
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
  if (!operator && operation.secured && status < 400) found.push(`status ${status} without credentials`);
  if (!valid && status < 300) found.push(`status ${status} of what its schema does not allow`);
  learn(text, status);
  return { status, found };
}

/** A stream of events does not end: its first bytes are enough. */
async function bodyOf({ answers }: Operation, response: Response): Promise<string> {
  if (answers["200"]?.content?.["text/event-stream"] === undefined || response.status !== 200)
    return response.text();
  const reader = response.body!.getReader();
  const { value } = await reader.read();
  return new TextDecoder().decode(value);
}

/** What was made is met by later requests. */
function learn(text: string, status: number): void {
  if (status !== 201) return;
  const made = JSON.parse(text) as Readonly<Record<string, unknown>>;
  for (const name of ["digest", "rollout"]) {
    const value = made[name];
    if (typeof value === "string") room.known.get(name)?.push(value);
  }
}

function describeRequest({ operation, path, headers, body }: ContractRequest): string {
  const sent = typeof body === "string" ? body.slice(0, 300) : body && `${body.length} bytes`;
  return `${operation.method} ${path} ${JSON.stringify(headers)} ${sent ?? ""}`;
}
