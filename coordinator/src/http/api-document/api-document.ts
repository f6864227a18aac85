import { PROBLEM_MEDIA_TYPE } from "@tributary/core";
import { CAPABILITY_SCHEME, CERTIFICATE_SCHEME, ProblemBody } from "@tributary/protocol";
import { SHARED_COMPONENTS, withConventions } from "./conventions.ts";
import { describeParameter } from "./describe-parameter.ts";
import { SESSION_COOKIE } from "../../access/session-cookie.ts";
import { describeRoute } from "./describe-route.ts";
import { namedSchemas } from "./named-schemas.ts";
import type { ApiDocument, Json, Operation } from "./openapi.ts";
import { operationIdOf } from "./operation-id.ts";
import { PROBLEM_RESPONSE, problemResponses } from "./problem-responses.ts";
import { shareSchemas } from "./share-schemas.ts";

const DESCRIPTION = `Models, versions, tasks, rounds, rollouts and releases of a Tributary coordinator.

Errors are \`application/problem+json\` (RFC 9457); \`type\` leads to a page about the code. What is read has an ETag: \`If-None-Match\` saves
reading it again, \`If-Match\` makes a change only to what was read. \`Idempotency-Key\` on a POST makes it safe to send again. Fields that a
body must not have are refused. What changes is told by \`GET /v1/events\`.`;

const TAGS = [
  { name: "operator", description: "What operators read and steer" },
  { name: "access", description: "Operators, their rights, and what they sign in by" },
  { name: "audit log", description: "What was done, by whom, and the proof that nothing of it was changed" },
  { name: "releases", description: "Signed metadata (TUF) and what it names: what devices trust" },
  { name: "bulk", description: "Bytes by their SHA-256, and what devices report to rounds" },
  { name: "fleet", description: "Which devices take part, what runs on them, and the end of that" },
  { name: "devices", description: "Enrolment, health and erasure of devices" },
  {
    name: "certificate log",
    description: "Every device certificate, in a log that can be checked (RFC 9162)",
  },
  {
    name: "alerts",
    description: "What operators are told of: rules, alerts, silences, and by which channels",
  },
  { name: "policies", description: "What the coordinator decides by itself, and what it decided" },
  { name: "health", description: "Whether the coordinator answers" },
  { name: "documents", description: "Descriptions of this API and of its documents" },
];

/** How `@fastify/swagger` makes the OpenAPI 3.1 document from the routes and their schemas. */
export function apiDocumentOptions(version: string) {
  return {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Tributary coordinator",
        version,
        description: DESCRIPTION,
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: "/" }],
      tags: TAGS,
      components: {
        securitySchemes: {
          operator: { type: "http" as const, scheme: "bearer", description: "An operator's token" },
          session: {
            type: "apiKey" as const,
            in: "cookie" as const,
            name: SESSION_COOKIE,
            description: `Of a browser that signed in; \`__Host-${SESSION_COOKIE}\` under TLS. A change also needs the session's token in X-CSRF-Token`,
          },
          device: {
            type: "http" as const,
            scheme: CERTIFICATE_SCHEME,
            description:
              "A device's certificate, base64url, with its signature over the request in the header Tributary-Proof",
          },
          member: {
            type: "http" as const,
            scheme: CAPABILITY_SCHEME,
            description: "What the coordinator told a member of a secure cohort for one step",
          },
        },
      },
    },
    convertConstToEnum: false,
    transform: describeRoute as never,
    transformObject: (({ openapiObject }: { readonly openapiObject: ApiDocument }) =>
      completeDocument(openapiObject)) as never,
  };
}

/** Fills in what holds for all operations, and has each schema once. */
function completeDocument(document: ApiDocument): ApiDocument {
  const paths = Object.fromEntries(
    Object.entries(document.paths).map(([path, operations]) => [
      path,
      Object.fromEntries(
        Object.entries(operations).map(([method, operation]) => [
          method,
          completeOperation(method, path, operation, (read) => document.paths[read]?.["get"] !== undefined),
        ]),
      ),
    ]),
  );
  const Problem = {
    ...PROBLEM_RESPONSE,
    content: { [PROBLEM_MEDIA_TYPE]: { schema: ProblemBody as unknown as Json } },
  };
  return shareSchemas(
    {
      ...document,
      paths,
      components: { ...document.components, ...SHARED_COMPONENTS, responses: { Problem } },
    },
    namedSchemas(),
  );
}

const SUCCESSES: Readonly<Record<string, string>> = {
  200: "What was asked for, as it is now",
  201: "What was made",
  202: "Taken",
  204: "Taken; there is nothing to say",
};

/** Says what a success is, where the route does not. */
function successes(responses: Operation["responses"]): Operation["responses"] {
  return Object.fromEntries(
    Object.entries(responses).map(([status, response]) => {
      const { description, ...rest } = response as Readonly<Record<string, Json>>;
      return [status, { description: description === UNSAID ? SUCCESSES[status]! : description!, ...rest }];
    }),
  );
}

/** What @fastify/swagger says of an answer that it knows nothing of. */
const UNSAID = "Default Response";

function completeOperation(
  method: string,
  path: string,
  operation: Operation,
  isRead: (path: string) => boolean,
): Operation {
  const described = withConventions(method, path, operation, isRead);
  const parameters = (described.parameters ?? []).map(describeParameter);
  return {
    operationId: operationIdOf(method, path),
    ...described,
    ...(parameters.length > 0 && { parameters }),
    responses: { ...successes(described.responses), ...problemResponses(method, described) },
  };
}
