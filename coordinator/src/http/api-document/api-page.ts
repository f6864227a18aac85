import { createHash } from "node:crypto";
import { escapeHtml } from "../plain-page.ts";
import { API_PAGE_STYLE } from "./api-page-style.ts";
import type { ApiDocument, Json, Operation } from "./openapi.ts";

type Node = Readonly<Record<string, Json>>;

const STYLE_HASH = createHash("sha256").update(API_PAGE_STYLE).digest("base64");

/** No script, nothing from elsewhere: the page is text and its own style. */
export const API_PAGE_CSP = `default-src 'none'; img-src data:; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'`;

/** The document as a page to read: operations by subject, and every schema once. */
export function apiPage(document: ApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
  const tags = (document["tags"] as readonly Node[])
    .map((tag) => ({
      name: wordsOf(tag["name"]),
      description: wordsOf(tag["description"]),
      operations: operations.filter(({ operation }) => tagsOf(operation).includes(wordsOf(tag["name"]))),
    }))
    .filter((tag) => tag.operations.length > 0);
  const schemas = Object.entries(document.components["schemas"] ?? {}) as [string, Node][];
  const { title, version, description } = document.info as Readonly<Record<string, string>>;
  const shared = document.components;

  const nav = [
    ...tags.map(
      (tag) =>
        `<details><summary>${escapeHtml(tag.name)} <small>${tag.operations.length}</small></summary><ul>${tag.operations
          .map(
            ({ method, path, operation }) =>
              `<li><a href="#${operation.operationId}"><b class="${method}">${method}</b><span>${breakable(path)}</span></a></li>`,
          )
          .join("")}</ul></details>`,
    ),
    `<details><summary>schemas <small>${schemas.length}</small></summary><ul>${schemas
      .map(([name]) => `<li><a href="#schema-${name}">${name}</a></li>`)
      .join("")}</ul></details>`,
  ].join("");

  const sections = tags
    .map(
      (tag) =>
        `<section><h2>${escapeHtml(tag.name)}</h2><p>${escapeHtml(tag.description)}</p>${tag.operations
          .map((each) => operationHtml(each, shared))
          .join("")}</section>`,
    )
    .join("");
  const schemaHtml = schemas
    .map(
      ([name, schema]) =>
        `<details id="schema-${name}"><summary><code>${name}</code></summary>${noteOf(schema)}${fieldsOf(schema)}</details>`,
    )
    .join("");

  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>${escapeHtml(title!)}: HTTP API</title><style>${API_PAGE_STYLE}</style></head>
<body><header><h1>${escapeHtml(title!)}: HTTP API</h1><p>${version} · <a href="/openapi.json">openapi.json</a> · <a href="/asyncapi.json">asyncapi.json</a> · <a href="/problems/">error codes</a></p></header>
<div class="columns"><nav aria-label="Operations">${nav}</nav><main>${paragraphs(description ?? "")}${sections}<section><h2>schemas</h2>${schemaHtml}</section></main></div></body></html>
`;
}

interface Entry {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

function operationHtml({ method, path, operation }: Entry, shared: ApiDocument["components"]): string {
  const parameters = ((operation.parameters ?? []) as readonly Node[]).map((parameter) =>
    typeof parameter["$ref"] === "string"
      ? (shared["parameters"]![nameIn(parameter["$ref"])] as Node)
      : parameter,
  );
  const body = operation.requestBody;
  const all = Object.entries(operation.responses) as [string, Node][];
  const answers = all.filter(([status]) => Number(status) < 400);
  const errors = all.filter(([status]) => Number(status) >= 400);
  const needs = (operation["security"] as readonly Node[] | undefined)?.map((each) => Object.keys(each)[0]);
  const rows = parameters.map(
    (parameter) =>
      `<tr><th scope="row"><code>${escapeHtml(wordsOf(parameter["name"]))}</code>${parameter["required"] === true ? "" : " <small>optional</small>"}</th><td>${wordsOf(parameter["in"])}</td><td>${typeOf((parameter["schema"] ?? {}) as Node)}</td><td>${escapeHtml(wordsOf(parameter["description"]))}</td></tr>`,
  );
  return `<details class="operation" id="${operation.operationId}"><summary><b class="${method}">${method}</b> <code>${breakable(path)}</code><span>${escapeHtml(wordsOf(operation["summary"]))}</span></summary>
${needs === undefined || needs.length === 0 ? "<p>Needs no credentials.</p>" : `<p>Needs: ${needs.map((each) => `<code>${each}</code>`).join(" or ")}${operation["x-needs"] === undefined ? "" : `, to ${wordsOf(operation["x-needs"])}`}.</p>`}
${rows.length === 0 ? "" : `<h4>Parameters</h4><div class="scroll"><table>${rows.join("")}</table></div>`}
${body === undefined ? "" : `<h4>Body</h4>${contentHtml(body.content as Node)}`}
<h4>Answers</h4><dl>${answers
    .map(
      ([status, answer]) =>
        `<dt><code>${status}</code></dt><dd>${escapeHtml(wordsOf(answer["description"]))}${answer["content"] === undefined ? "" : contentHtml(answer["content"] as Node)}</dd>`,
    )
    .join(
      "",
    )}<dt>errors</dt><dd>${errors.map(([status, answer]) => `<code title="${escapeHtml(wordsOf(answer["description"]))}">${status}</code>`).join(" ")} <small>application/problem+json</small>: <a href="#schema-ProblemBody">ProblemBody</a></dd></dl></details>`;
}

function contentHtml(content: Node): string {
  return Object.entries(content)
    .map(([type, media]) => {
      const schema = ((media as Node)["schema"] ?? {}) as Node;
      const inline = schema["properties"] === undefined ? "" : fieldsOf(schema);
      return `<p><code>${escapeHtml(type)}</code>: ${typeOf(schema)}</p>${inline}`;
    })
    .join("");
}

function fieldsOf(schema: Node): string {
  const properties = schema["properties"] as Node | undefined;
  if (properties === undefined) return `<p>${typeOf(schema)}</p>`;
  const required = new Set((schema["required"] ?? []) as readonly string[]);
  const rows = Object.entries(properties).map(([name, field]) => {
    const node = field as Node;
    const more =
      node["default"] === undefined
        ? ""
        : ` <small>default ${escapeHtml(JSON.stringify(node["default"]).slice(0, 60))}</small>`;
    return `<tr><th scope="row"><code>${escapeHtml(name)}</code>${required.has(name) ? "" : " <small>optional</small>"}</th><td>${typeOf(node)}${more}</td><td>${escapeHtml(wordsOf(node["description"]))}</td></tr>`;
  });
  return `<div class="scroll"><table>${rows.join("")}</table></div>`;
}

/** A schema in a few words, with a link to the one that it refers to. */
function typeOf(schema: Node): string {
  if (typeof schema["$ref"] === "string") {
    const name = nameIn(schema["$ref"]);
    return `<a href="#schema-${name}">${name}</a>`;
  }
  if (schema["const"] !== undefined) return `<code>${escapeHtml(JSON.stringify(schema["const"]))}</code>`;
  if (Array.isArray(schema["enum"]))
    return (schema["enum"] as readonly Json[])
      .map((each) => `<code>${escapeHtml(wordsOf(each))}</code>`)
      .join(" | ");
  const choices = (schema["anyOf"] ?? schema["oneOf"]) as readonly Node[] | undefined;
  if (choices !== undefined) return choices.map(typeOf).join(" or ");
  if (schema["type"] === "array") return `list of ${typeOf((schema["items"] ?? {}) as Node)}`;
  if (schema["additionalProperties"] !== undefined && typeof schema["additionalProperties"] === "object")
    return `record of ${typeOf(schema["additionalProperties"] as Node)}`;
  const type = schema["format"] === "binary" ? "bytes" : wordsOf(schema["type"] ?? "anything");
  const limits = ["minimum", "maximum", "maxLength"].flatMap((name) =>
    schema[name] === undefined ? [] : [`${name} ${wordsOf(schema[name])}`],
  );
  return limits.length === 0 ? type : `${type} <small>${limits.join(", ")}</small>`;
}

function noteOf(schema: Node): string {
  return schema["description"] === undefined ? "" : `<p>${escapeHtml(wordsOf(schema["description"]))}</p>`;
}

function tagsOf(operation: Operation): readonly string[] {
  return (operation["tags"] ?? ["operator"]) as readonly string[];
}

/** Long paths break after their slashes. */
function breakable(path: string): string {
  return escapeHtml(path).replaceAll("/", "/<wbr>");
}

function paragraphs(text: string): string {
  return text
    .split("\n\n")
    .map((each) => `<p>${escapeHtml(each).replaceAll(/`([^`]+)`/g, "<code>$1</code>")}</p>`)
    .join("");
}

/** A text as it is, anything else as JSON. */
function wordsOf(value: Json | undefined): string {
  return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
}

function nameIn(reference: string): string {
  return reference.slice(reference.lastIndexOf("/") + 1);
}
