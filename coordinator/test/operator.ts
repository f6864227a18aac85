import type { AuditActor } from "@tributary/protocol";
import { createGuard, type Guard } from "../src/access/guard.ts";
import { createIdentify } from "../src/access/identify.ts";
import { modelLookups } from "../src/access/model-lookups.ts";
import type { AnonymousAccess } from "../src/config.ts";
import type { MetadataStore } from "../src/ports/metadata-store.ts";

/** Who came over HTTP. */
export const OPERATOR_BY_HTTP: AuditActor = { kind: "operator", via: "http", name: "token" };

/** What stands before the routes of rooms that are put together for a test. */
export function guardFor(
  options: {
    /** What the operator sends as `Authorization`; nobody is one without. */
    readonly operator?: string;
    readonly anonymous?: AnonymousAccess;
    readonly store?: MetadataStore;
  } = {},
): Guard {
  const { operator, anonymous = "none", store } = options;
  return createGuard({
    identify: createIdentify({
      config: { anonymous },
      isBootstrap: (authorization) => operator !== undefined && authorization === operator,
    }),
    lookups: modelLookups(() => store!),
  });
}
