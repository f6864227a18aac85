import fc, { type Arbitrary } from "fast-check";
import { brokenValue, valueOf, type Fields } from "./arbitrary.ts";
import type { Contract, Operation, Parameter } from "./document.ts";
import { lastWord, type Met } from "./met.ts";

/** One request, as it is sent. */
export interface ContractRequest {
  readonly operation: Operation;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer> | undefined;
  /** Whether its parameters and body are what their schemas allow. */
  readonly valid: boolean;
  readonly sender: Sender;
}

/** Who sends a request: nobody, whoever has the operator's token, or a page where somebody signed in. */
export type Sender = "nobody" | "token" | "session";
const TOKEN = Array.from({ length: 8 }, (): Sender => "token");

export interface RequestsOf {
  readonly contract: Contract;
  readonly met: Met;
  /** Bodies of bytes that are of use. */
  readonly bytes: readonly Uint8Array<ArrayBuffer>[];
  /** Nothing is wrong with them, and they meet what is there: an operation that they do not reach takes more than a document says. */
  readonly aimed: boolean;
}

/** Requests of one operation: mostly valid ones that meet what is there, and some with something wrong. */
export function requestOf(options: RequestsOf, operation: Operation): Arbitrary<ContractRequest> {
  const { contract, met, aimed } = options;
  /** Mostly something that is there. */
  const meeting = (values: () => unknown[], any: Arbitrary<unknown>): Arbitrary<unknown> => {
    // Read when it is drawn: what a run makes is met by its later requests.
    const known = fc.nat().map((at) => {
      const found = values();
      return found.length === 0 ? undefined : found[at % found.length];
    });
    return fc
      .tuple(known, any, fc.integer({ min: 0, max: 9 }))
      .map(([value, other, dice]) => (value !== undefined && dice > 0 ? value : other));
  };
  const fields: Fields = (name, schema, any) =>
    met.knows(name) || met.knows(lastWord(name)) ? meeting(() => met.values(name, schema), any) : any;
  /** Of ten optional parameters. */
  const present = aimed ? 1 : 3;
  const parameters = operation.parameters.map((parameter) => {
    const { name, schema } = parameter;
    const place = operation.path.slice(0, operation.path.indexOf(`{${name}}`) + name.length + 2);
    const any = parameter.in === "header" ? headerOf(parameter) : valueOf(contract, schema);
    return fc.tuple(
      fc.constant(parameter),
      parameter.in === "path" || parameter.required === true
        ? fc.constant(true)
        : fc.integer({ min: 0, max: 9 }).map((dice) => dice < present),
      meeting(() => met.values(name, schema, parameter.in === "path" ? place : undefined), any),
    );
  });
  const { body } = operation;
  const valid = body === undefined ? fc.constant(undefined) : bodyOf(options, operation, body, fields);
  const broken =
    body === undefined || body.type !== "application/json"
      ? fc.constant(undefined)
      : brokenValue(contract, body.schema).map((value) => JSON.stringify(value) ?? "null");
  const garbled = fc.string({ maxLength: 60, unit: "grapheme-ascii" });
  return fc
    .tuple(
      fc.tuple(...parameters),
      valid,
      broken,
      fc.integer({ min: 0, max: 9 }),
      garbled,
      fc.nat(),
      fc.constantFrom<Sender>(...TOKEN, "session", "session", aimed ? "session" : "nobody"),
    )
    .map(([values, good, bad, dice, text, at, sender]) => {
      const breaks = !aimed && dice < 3 && bad !== undefined;
      // One parameter that is none, instead of a broken body.
      const breaksAt = !aimed && dice === 3 && values.length > 0 ? at % values.length : undefined;
      return build(contract, operation, {
        values: values.map(([parameter, present, value], index) =>
          index === breaksAt && parameter.in !== "header"
            ? { parameter, value: text || "%00" }
            : { parameter, value: present ? value : undefined },
        ),
        body: breaks ? bad : aimed ? namedBy(operation, values.at(-1), good) : good,
        sender,
      });
    });
}

function bodyOf(
  { contract, bytes, aimed }: RequestsOf,
  { path }: Operation,
  { type, schema }: NonNullable<Operation["body"]>,
  fields: Fields,
): Arbitrary<string | Uint8Array<ArrayBuffer> | undefined> {
  if (type === "application/json") {
    const of = (minimal: boolean): Arbitrary<unknown> =>
      valueOf(contract, schema, { depth: 0, fields, minimal });
    return (aimed ? fc.oneof(of(true), of(true), of(false)) : of(false)).map((value) =>
      JSON.stringify(value),
    );
  }
  const ofUse = fc.constantFrom(...bytes);
  if (aimed) return ofUse;
  const random = fc.uint8Array({ maxLength: 200 }).map((each) => Uint8Array.from(each));
  // Publishing takes a second: once in a while.
  const weight = path.endsWith("/versions") ? 4 : 1;
  return fc.oneof({ weight, arbitrary: random }, { weight: 1, arbitrary: ofUse });
}

/** What may stand in a header. */
function headerOf({ schema }: Parameter): Arbitrary<unknown> {
  const pattern = schema["pattern"] as string | undefined;
  const maxLength = Math.min((schema["maxLength"] as number | undefined) ?? 40, 40);
  return fc
    .string({
      minLength: 1,
      maxLength,
      unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    })
    .filter((text) => pattern === undefined || new RegExp(pattern).test(text));
}

interface Drawn {
  readonly values: readonly { readonly parameter: Parameter; readonly value: unknown }[];
  readonly body: string | Uint8Array<ArrayBuffer> | undefined;
  readonly sender: Sender;
}

function build(contract: Contract, operation: Operation, { values, body, sender }: Drawn): ContractRequest {
  let path = operation.path;
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  let valid = true;
  for (const { parameter, value } of values) {
    if (value === undefined) continue;
    const text = typeof value === "string" ? value : JSON.stringify(value);
    valid &&= contract.fits(parameter.schema, value);
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, () => encodeURIComponent(text));
    else if (parameter.in === "query" && Array.isArray(value))
      for (const each of value) query.append(parameter.name, String(each));
    else if (parameter.in === "query") query.set(parameter.name, text);
    else headers[parameter.name] = text;
  }
  if (operation.body !== undefined && body !== undefined) headers["content-type"] = operation.body.type;
  if (operation.body?.type === "application/json")
    valid &&= typeof body === "string" && contract.fits(operation.body.schema, JSON.parse(body));
  return {
    operation,
    path: query.size === 0 ? path : `${path}?${query}`,
    headers,
    body,
    valid,
    sender,
  };
}

/** A document whose name the path says: another would be refused. */
function namedBy(
  { method }: Operation,
  last: readonly [Parameter, boolean, unknown] | undefined,
  body: string | Uint8Array<ArrayBuffer> | undefined,
): string | Uint8Array<ArrayBuffer> | undefined {
  if (method !== "PUT" || typeof body !== "string" || last?.[0].in !== "path") return body;
  const document: unknown = JSON.parse(body);
  if (typeof document !== "object" || document === null || !("name" in document)) return body;
  return JSON.stringify({ ...document, name: last[2] });
}
