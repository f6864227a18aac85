import fc, { type Arbitrary } from "fast-check";
import { brokenValue, valueOf } from "./arbitrary.ts";
import type { ContractRoom } from "./contract-room.ts";
import type { Contract, Operation, Parameter, Schema } from "./document.ts";

/** One request, as it is sent. */
export interface ContractRequest {
  readonly operation: Operation;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer> | undefined;
  /** Whether its parameters and body are what their schemas allow. */
  readonly valid: boolean;
  readonly operator: boolean;
}

/** Requests of one operation: mostly valid ones that meet what is there, and some with something wrong. */
export function requestOf(
  contract: Contract,
  room: ContractRoom,
  operation: Operation,
): Arbitrary<ContractRequest> {
  const named = (name: string, schema: Schema): Arbitrary<unknown> => {
    // Read when it is drawn: what a run makes is met by its later requests.
    const meet = fc.nat().map((at) => {
      const values = (room.known.get(name) ?? []).filter((value) => contract.fits(schema, value));
      return values.length === 0 ? undefined : values[at % values.length];
    });
    return fc
      .tuple(meet, valueOf(contract, schema), fc.integer({ min: 0, max: 9 }))
      .map(([known, any, dice]) => (known !== undefined && dice > 0 ? known : any));
  };
  const parameters = operation.parameters.map((parameter) =>
    fc.tuple(
      fc.constant(parameter),
      parameter.in === "path" || parameter.required === true
        ? fc.constant(true)
        : fc.integer({ min: 0, max: 3 }).map((dice) => dice === 0),
      parameter.in === "header" ? headerOf(parameter) : named(parameter.name, parameter.schema),
    ),
  );
  const { body } = operation;
  const valid = body === undefined ? fc.constant(undefined) : bodyOf(contract, room, operation, body, named);
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
      fc.integer({ min: 0, max: 9 }).map((dice) => dice > 0),
    )
    .map(([values, good, bad, dice, text, at, operator]) => {
      const breaks = dice < 3 && bad !== undefined;
      // One parameter that is none, instead of a broken body.
      const breaksAt = dice === 3 && values.length > 0 ? at % values.length : undefined;
      return build(contract, operation, {
        values: values.map(([parameter, present, value], index) =>
          index === breaksAt && parameter.in !== "header"
            ? { parameter, value: text || "%00" }
            : { parameter, value: present ? value : undefined },
        ),
        body: breaks ? bad : good,
        operator,
      });
    });
}

function bodyOf(
  contract: Contract,
  room: ContractRoom,
  { path }: Operation,
  { type, schema }: NonNullable<Operation["body"]>,
  named: (name: string, schema: Schema) => Arbitrary<unknown>,
): Arbitrary<string | Uint8Array<ArrayBuffer> | undefined> {
  if (type !== "application/json") {
    const random = fc.uint8Array({ maxLength: 200 }).map((bytes) => Uint8Array.from(bytes));
    // Publishing takes a second: once in a while.
    const weight = path.endsWith("/versions") ? 4 : 1;
    return fc.oneof({ weight, arbitrary: random }, { weight: 1, arbitrary: fc.constantFrom(...room.bytes) });
  }
  const { properties = {} } = contract.follow(schema) as { properties?: Readonly<Record<string, Schema>> };
  const met = Object.entries(properties).filter(([name]) => room.known.has(name));
  return fc
    .tuple(valueOf(contract, schema), fc.tuple(...met.map(([name, each]) => named(name, each))))
    .map(([value, values]) => {
      const filled = { ...(value as Record<string, unknown>) };
      met.forEach(([name], index) => {
        if (name in filled) filled[name] = values[index];
      });
      return JSON.stringify(filled);
    });
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
  readonly operator: boolean;
}

function build(contract: Contract, operation: Operation, { values, body, operator }: Drawn): ContractRequest {
  let path = operation.path;
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  let valid = true;
  for (const { parameter, value } of values) {
    if (value === undefined) continue;
    const text = typeof value === "string" ? value : JSON.stringify(value);
    valid &&= contract.fits(parameter.schema, value);
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, () => encodeURIComponent(text));
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
    operator,
  };
}
