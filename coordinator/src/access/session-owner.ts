import type { SessionRecord } from "../ports/access-records.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { Principal } from "./principal.ts";

/** Who a session is of; undefined where there is no such account any more. */
export async function sessionOwner(
  { name, grants, vouched }: SessionRecord,
  store: Pick<MetadataStore, "accounts">,
): Promise<Principal | undefined> {
  if (grants !== null)
    return { kind: "identity-provider", name, grants, ...(vouched && { subject: vouched.subject }) };
  const account = await store.accounts.get(name);
  return account && { kind: "account", name, account: name, grants: account.grants };
}
