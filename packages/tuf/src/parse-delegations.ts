import { JsonFields, malformed } from "./json-fields.ts";
import { METADATA_BOUNDS } from "./limits.ts";
import { TUF_ROLES, type DelegatedRole, type Delegations } from "./metadata.ts";
import { parseKeys, parseRole, type KeyIdCheck } from "./parse-keys.ts";

const HASH_PREFIX = /^[0-9a-f]{1,64}$/;

/** The delegations of a targets file (spec 4.5). @param checks - see `parseKeys` */
export function parseDelegations(signed: JsonFields, checks: KeyIdCheck[]): Delegations {
  const delegations = signed.fields("delegations");
  const keys = parseKeys(delegations, checks);
  if (!delegations.has("roles")) return { keys, roles: [] };
  const names = new Set<string>();
  const roles = delegations.array("roles", METADATA_BOUNDS.maxKeys).map((item, index) => {
    const fields = new JsonFields(item, `${delegations.path}.roles[${index}]`);
    const role = parseDelegatedRole(fields);
    // Spec 4.5: a role has one entry, as two would give its name two sets of keys.
    if (names.has(role.name)) throw fields.fail("name", "each role once");
    names.add(role.name);
    return role;
  });
  return { keys, roles };
}

function parseDelegatedRole(fields: JsonFields): DelegatedRole {
  const name = fields.text("name", { max: METADATA_BOUNDS.maxRoleName });
  if (name === "" || (TUF_ROLES as readonly string[]).includes(name)) {
    throw fields.fail("name", "the name of a role that is not a top-level one");
  }
  if (fields.has("paths") === fields.has("path_hash_prefixes")) {
    throw malformed(fields.path, 'either "paths" or "path_hash_prefixes"', fields.object);
  }
  return {
    name,
    ...parseRole(fields),
    terminating: fields.flag("terminating"),
    paths: fields.has("paths")
      ? { kind: "patterns", patterns: texts(fields, "paths", (text) => text !== "") }
      : {
          kind: "hash-prefixes",
          prefixes: texts(fields, "path_hash_prefixes", (text) => HASH_PREFIX.test(text)),
        },
  };
}

function texts(fields: JsonFields, name: string, allowed: (text: string) => boolean): string[] {
  return fields.array(name, METADATA_BOUNDS.maxPatterns).map((text) => {
    if (typeof text === "string" && text.length <= METADATA_BOUNDS.maxPathLength && allowed(text))
      return text;
    throw malformed(
      `${fields.path}.${name}`,
      "patterns of paths, or beginnings of SHA-256 in hexadecimal",
      text,
    );
  });
}
