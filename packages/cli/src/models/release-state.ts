import type { ApiClient, KeyRoleView, SignedChannelView } from "@tributary/api-client";

/** How the channels of a model stand with devices. */
export interface ReleaseState {
  readonly channels: readonly SignedChannelView[];
  /** Versions that no device runs any more. */
  readonly withdrawn: ReadonlySet<number>;
}

export async function releaseState(api: ApiClient, model: string): Promise<ReleaseState> {
  const channels = await api.channels(model);
  const withdrawals = await api.withdrawals(model);
  return { channels, withdrawn: new Set(withdrawals.map(({ version }) => version)) };
}

/** What keeps devices from what a channel points to: "withdrawn", "waits for signatures"; most often nothing. */
export function channelNotes(
  { version, signed }: Pick<SignedChannelView, "version" | "signed">,
  { withdrawn }: Pick<ReleaseState, "withdrawn">,
): readonly string[] {
  return [...(withdrawn.has(version) ? ["withdrawn"] : []), ...(signed ? [] : ["waits for signatures"])];
}

/** A role whose keys have to sign before devices get a release. */
export interface MissingSignatures {
  readonly role: string;
  readonly signatures: NonNullable<KeyRoleView["waiting"]>["signatures"];
}

/**
 * The roles whose signatures a release waits for; none where devices get it.
 *
 * @param released - one of the model's channels; left out: any of them
 */
export async function missingSignaturesOf(
  api: ApiClient,
  model: string,
  released?: string,
): Promise<readonly MissingSignatures[]> {
  const channels = await api.channels(model);
  if (channels.every(({ name, signed }) => signed || (released ?? name) !== name)) return [];
  const waiting = (await api.keys()).flatMap(({ role, model: of, waiting: next }) =>
    next?.reason === "change" ? [{ role, of, signatures: next.signatures }] : [],
  );
  // A model is delegated to by the roles above it, which sign but when models or keys change.
  const own = waiting.filter(({ of }) => of === model);
  const above = waiting.filter(({ of }) => of === null);
  return (own.length > 0 ? own : above).map(({ role, signatures }) => ({ role, signatures }));
}

/** What is missing, and how it is signed. */
export function missingLines(missing: readonly MissingSignatures[]): string[] {
  return missing.flatMap(({ role, signatures }) => {
    const counts = signatures.map(({ have, need }) => `${have} of ${need}`);
    return [
      `devices do not get it yet: it waits for signatures of ${role}, ${counts.join(", and of the keys before ")} are there`,
      `  tributary keys export ${role}, then tributary keys sign <file> --key <key file> where the key lies, then tributary keys import ${role} <file>`,
    ];
  });
}
