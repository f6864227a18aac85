/** What stands where a secret was. */
export const HIDDEN = "[hidden]";

/** Fields that hold secrets, by the end of their names: tokens, passwords, keys, what a device proves itself with. */
const SECRET_NAME =
  "(?:authorization|cookie|token|secret|password|passphrase|credentials?|api-?key|private-?key|signing-?key|proof|certificate)";
const SECRET_FIELD = new RegExp(`${SECRET_NAME}$`, "i");

/** Secrets that stand in the middle of a text: an error's message, an address. */
const SECRET_TEXT: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic|Negotiate|Tributary|Tributary-Capability) +[\w.~+/=-]{16,}/gi, `$1 ${HIDDEN}`],
  // A field of a finished entry: those of child loggers are looked at nowhere else.
  [new RegExp(`("[^"]*${SECRET_NAME}":)"(?:[^"\\\\]|\\\\.)*"`, "gi"), `$1"${HIDDEN}"`],
  // JSON Web Tokens: three parts, the first of which is a JSON object.
  [/\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?/g, HIDDEN],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----/gs, HIDDEN],
  // Whoever has one of these addresses may write there, or is that user.
  [/(https:\/\/hooks\.slack\.com\/)[^\s"\\]+/g, `$1${HIDDEN}`],
  [/\/\/[^\s/:@"\\]*:[^\s/@"\\]+@/g, `//${HIDDEN}@`],
  [
    /([?&](?:[\w-]*token|code|state|[\w-]*secret|password|api-?key|key|sig|signature)=)[^&\s"\\]+/gi,
    `$1${HIDDEN}`,
  ],
];

const MAX_DEPTH = 4;

/** A copy of what a log entry holds, with the values of secret fields hidden, at any depth that is looked at. */
export function hideFields(fields: Readonly<Record<string, unknown>>, depth = 0): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (SECRET_FIELD.test(name) && value !== null && value !== undefined) shown[name] = HIDDEN;
    else shown[name] = isPlain(value) && depth < MAX_DEPTH ? hideFields(value, depth + 1) : value;
  }
  return shown;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Takes secrets out of a finished line; `known` are those of this process, as they are. */
export function hideText(line: string, known: Iterable<string> = []): string {
  let shown = line;
  for (const [pattern, by] of SECRET_TEXT) shown = shown.replace(pattern, by);
  for (const secret of known) shown = shown.replaceAll(secret, HIDDEN);
  return shown;
}
