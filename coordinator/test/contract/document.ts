import addFormats from "ajv-formats";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

export type Schema = { readonly [keyword: string]: unknown };

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly schema: Schema;
}

interface Answer {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
  readonly headers?: Readonly<Record<string, { readonly schema: Schema }>>;
}

/** One operation of the document, its references followed. */
export interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: { readonly type: string; readonly schema: Schema } | undefined;
  readonly answers: Readonly<Record<string, Answer>>;
  readonly secured: boolean;
}

type Node = Readonly<Record<string, unknown>>;

/** What the coordinator says that it does, and whether an answer is of that. */
export interface Contract {
  readonly operations: readonly Operation[];
  follow(schema: Schema): Schema;
  /** What is wrong with an answer; nothing where it is as documented. */
  violations(operation: Operation, response: Response, body: string): string[];
  /** Whether a value is as a schema says. */
  fits(schema: Schema, value: unknown): boolean;
}

const ROOT = "openapi.json";

export function readContract(document: Node): Contract {
  const ajv = new Ajv2020({ strict: false, allErrors: false, allowUnionTypes: true });
  addFormats.default(ajv);
  ajv.addFormat("binary", true);
  ajv.addSchema(document, ROOT);

  const follow = <Value>(value: Value): Value => {
    const { $ref } = value as { $ref?: string };
    if ($ref === undefined) return value;
    const found = $ref
      .slice(2)
      .split("/")
      .reduce<unknown>(
        (node, key) => (node as Node)[key.replaceAll("~1", "/").replaceAll("~0", "~")],
        document,
      );
    return follow(found as Value);
  };
  const validators = new WeakMap<Schema, ValidateFunction>();
  const byText = new Map<string, ValidateFunction>();
  const validator = (schema: Schema): ValidateFunction => {
    let known = validators.get(schema);
    if (known !== undefined) return known;
    const text = JSON.stringify(schema).replaceAll('"$ref":"#/', `"$ref":"${ROOT}#/`);
    known = byText.get(text) ?? ajv.compile(JSON.parse(text) as Schema);
    byText.set(text, known);
    validators.set(schema, known);
    return known;
  };

  const operations = Object.entries(document["paths"] as Record<string, Record<string, Node>>).flatMap(
    ([path, methods]) =>
      Object.entries(methods).map(([method, operation]): Operation => {
        const [body] = Object.entries(
          (operation["requestBody"] as { content?: Record<string, { schema: Schema }> })?.content ?? {},
        );
        return {
          id: operation["operationId"] as string,
          method: method.toUpperCase(),
          path,
          parameters: ((operation["parameters"] ?? []) as Parameter[]).map(follow),
          body: body && { type: body[0], schema: body[1].schema },
          answers: Object.fromEntries(
            Object.entries(operation["responses"] as Record<string, Answer>).map(([status, answer]) => {
              const { headers = {}, ...rest } = follow(answer);
              const all = Object.entries(headers).map(([name, header]) => [name, follow(header)] as const);
              return [status, { ...rest, headers: Object.fromEntries(all) }];
            }),
          ),
          secured: ((operation["security"] ?? []) as unknown[]).length > 0,
        };
      }),
  );

  return {
    operations,
    follow,
    fits: (schema, value) => validator(schema)(value),
    violations({ answers, method }, response, body) {
      const answer = answers[response.status];
      if (answer === undefined) return [`status ${response.status} is not documented`];
      const found: string[] = [];
      if (response.status >= 500) found.push(`status ${response.status}`);
      for (const [name, { schema }] of Object.entries(answer.headers ?? {})) {
        const value = response.headers.get(name);
        const typed = schema["type"] === "integer" ? Number(value) : value;
        if (value !== null && !validator(schema)(typed)) found.push(`header ${name}: ${value}`);
      }
      const types = Object.keys(answer.content ?? {});
      const type = (response.headers.get("content-type") ?? "").split(";")[0]!;
      if (types.length === 0 || method === "HEAD") {
        if (body !== "") found.push(`a body where none is documented: ${body.slice(0, 80)}`);
        return found;
      }
      const schema = answer.content?.[type]?.schema;
      if (!types.includes(type)) return [...found, `content type "${type}" is none of ${types.join(", ")}`];
      if (schema === undefined || !type.endsWith("json")) return found;
      const check = validator(schema);
      let value: unknown;
      try {
        value = JSON.parse(body);
      } catch {
        return [...found, `no JSON: ${body.slice(0, 80)}`];
      }
      if (!check(value)) {
        const [first] = check.errors ?? [];
        found.push(`body${first?.instancePath} ${first?.message}: ${body.slice(0, 200)}`);
      }
      return found;
    },
  };
}
