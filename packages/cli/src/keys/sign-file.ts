import { readSigningKeyFile } from "@tributary/coordinator";
import { failure } from "@tributary/core";
import { addSignatures, parseMetadata, signingKeyIds } from "@tributary/tuf";

/** Paths that are named one by one. */
const SHOWN_TARGETS = 12;

/** Adds a key's signature to an exported file. @throws `cli/file`, `coordinator/key-*`, `tuf/invalid-metadata` */
export async function signFile(
  file: Uint8Array,
  keyFile: string,
): Promise<{ readonly bytes: Uint8Array; readonly keyId: string }> {
  const key = await readSigningKeyFile(keyFile);
  if (key === undefined) {
    throw failure("cli/file", `${keyFile} is missing`, { detail: { file: keyFile } });
  }
  const { purpose, signer } = key;
  const type = typeOf(file);
  if ((type === "root") !== (purpose === "root")) {
    throw failure("cli/usage", `${keyFile} is a key for ${purpose}, and the file is ${type} metadata`);
  }
  return { bytes: await addSignatures(file, [signer]), keyId: signer.keyId };
}

/** What somebody signs, in lines. */
export async function describeFile(file: Uint8Array): Promise<string[]> {
  const type = typeOf(file);
  const { signed } = await parseMetadata(type, file);
  const head = `${type} version ${signed.version}, expires ${new Date(signed.expiresMs).toISOString()}`;
  const signatures = `signatures so far: ${signingKeyIds(file).join(", ") || "none"}`;
  if (signed.role === "root") {
    const roles = Object.entries(signed.roles).map(
      ([role, { keyIds, threshold }]) => `  ${role}: ${threshold} of ${keyIds.join(", ")}`,
    );
    return [head, ...roles, signatures];
  }
  const paths = [...signed.targets.values()];
  const more = paths.length - SHOWN_TARGETS;
  return [
    head,
    ...paths.slice(0, SHOWN_TARGETS).map(({ path, sha256 }) => `  ${path}  ${sha256}`),
    ...(more > 0 ? [`  and ${more} more targets`] : []),
    ...signed.delegations.roles.map(
      ({ name, keyIds, threshold }) => `  delegates to ${name}: ${threshold} of ${keyIds.join(", ")}`,
    ),
    signatures,
  ];
}

/** Snapshot and timestamp are signed by the coordinator alone. */
function typeOf(file: Uint8Array): "root" | "targets" {
  let type: unknown;
  try {
    type = (JSON.parse(new TextDecoder().decode(file)) as { signed?: { _type?: unknown } }).signed?._type;
  } catch {
    // told below
  }
  if (type === "root" || type === "targets") return type;
  throw failure("cli/usage", "keys: expected a file that tributary keys export wrote, of root or targets");
}
