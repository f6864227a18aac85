/** Any JSON that a document holds. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** The parts of an OpenAPI 3.1 document that are filled in here. */
export interface ApiDocument {
  readonly openapi: string;
  readonly info: Readonly<Record<string, Json>>;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly [key: string]: Json;
}

/** One method of one path. */
export interface Operation {
  readonly operationId?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, Json>>;
  readonly [key: string]: Json;
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header" | "cookie";
  readonly [key: string]: Json;
}

export type Content = Readonly<Record<string, { readonly [key: string]: Json }>>;
