import type { Clock } from "@tributary/core";
import { timestampCustom } from "@tributary/protocol";
import {
  keyIdOf,
  parseMetadata,
  signSnapshotAndTimestamp,
  signTimestamp,
  TUF_ROLES,
  unsignedRoot,
  unsignedTargets,
  type DelegationOptions,
  type RoleKeySet,
  type TufRole,
  type TufSigner,
} from "@tributary/tuf";
import type { DraftRecord, RoleRecord, SignedMetadata, TargetRecord } from "../ports/release-records.ts";
import { signersHere, type KeyRing } from "./key-ring.ts";
import type { Lifetimes } from "./lifetimes.ts";
import {
  expiryOf,
  fileType,
  isNextRoot,
  isSignedBy,
  keySetIn,
  sameContent,
  versionOf,
  withSignatures,
} from "./role-files.ts";
import { inPriority, pathsOf } from "./roles.ts";
import { areSigned, signedHeads } from "./signed-heads.ts";
import type { SigningState } from "./signing-state.ts";

export interface SigningOptions {
  readonly ring: Pick<KeyRing, "signersOf">;
  readonly lifetimes: Lifetimes;
  readonly clock: Pick<Clock, "now">;
}

export interface SigningResult {
  /** Files that are new, in the order in which a client would meet them. */
  readonly metadata: readonly SignedMetadata[];
  /** The next files of roles that wait for signatures. */
  readonly drafts: readonly DraftRecord[];
}

/** The file that a role has from here on, if any that its keys signed, and the one that waits. */
interface NextFile {
  readonly file?: SignedMetadata | undefined;
  readonly isNew: boolean;
  readonly draft?: DraftRecord | undefined;
}

/** A release below one root: files by role, none where some are not signed as the root says, and drafts. */
interface Below {
  readonly files: readonly SignedMetadata[] | undefined;
  readonly drafts: readonly DraftRecord[];
}

/**
 * Signs in memory whatever the keys that are here can sign of what is wanted: numbers are allocated and bytes made, nothing is stored.
 * Where keys lie elsewhere, a draft waits for their signatures, and what was signed before stays as it is: what comes out is a release
 * that clients verify, or nothing new.
 *
 * @param options.gap - numbers that may have been signed since the store was copied: they are left out, and everything is signed anew
 * @throws TypeError where not even a first release can be signed
 */
export async function signWanted(
  state: SigningState,
  { ring, lifetimes, clock }: SigningOptions,
  options: { readonly gap?: number } = {},
): Promise<SigningResult> {
  const { gap = 0 } = options;
  const { signed, roles, drafts } = state;
  const now = clock.now();

  const isDue = async (
    metadata: Pick<SignedMetadata, "role" | "bytes">,
    lifetime: number,
  ): Promise<boolean> => (await expiryOf(metadata)) - now <= lifetime / 2;

  const lifetimeOf = (role: string, { keys, threshold = 1 }: RoleKeySet): number => {
    const here = signersHere(ring, role, keys.map(keyIdOf)).length;
    return lifetimes[here >= threshold ? "targets" : "operator"];
  };

  /** A draft that says the same, has a later number and is not old stays, with the signatures that it has. */
  const draftFor = async (
    role: string,
    unsigned: Uint8Array<ArrayBuffer>,
    lifetime: number,
    after = signed.get(role)?.version ?? 0,
  ): Promise<Uint8Array<ArrayBuffer>> => {
    const draft = drafts.get(role);
    if (
      draft === undefined ||
      !sameContent(draft.bytes, unsigned) ||
      (await isDue(toSigned(draft), lifetime))
    )
      return unsigned;
    const version = await versionOf(role, draft.bytes);
    return (role === "root" ? version === after + 1 : version > after) ? draft.bytes : unsigned;
  };

  const nextRoot = async (): Promise<NextFile> => {
    const latest = signed.get("root");
    const version = (latest?.version ?? 0) + 1;
    const keysByRole = Object.fromEntries(TUF_ROLES.map((role) => [role, wantedKeys(roles, role)]));
    const unsigned = unsignedRoot({
      version,
      expiresMs: now + lifetimes.root,
      keysByRole: keysByRole as Record<TufRole, RoleKeySet>,
    });
    if (latest !== undefined && sameContent(latest.bytes, unsigned) && !(await isDue(latest, lifetimes.root)))
      return { file: latest, isNew: false };
    const before = latest && (await keySetIn(latest.bytes, "root", "root"));
    const keyIds = [...keysByRole["root"]!.keys, ...(before?.keys ?? [])].map(keyIdOf);
    const base = await draftFor("root", unsigned, lifetimes.root);
    const bytes = await withSignatures(base, signersHere(ring, "root", keyIds));
    if (await isNextRoot(version, bytes, latest?.bytes))
      return { file: { role: "root", version, bytes }, isNew: true };
    return { file: latest, isNew: false, draft: { role: "root", bytes } };
  };

  const nextTargets = async (
    role: string,
    keySet: RoleKeySet,
    {
      delegations = [],
      after = signed.get(role)?.version ?? 0,
    }: { readonly delegations?: readonly DelegationOptions[]; readonly after?: number } = {},
  ): Promise<NextFile> => {
    const latest = signed.get(role);
    const lifetime = lifetimeOf(role, keySet);
    const version = after + gap + 1;
    const unsigned = unsignedTargets({
      version,
      expiresMs: now + lifetime,
      targets: state.targets.filter((target) => target.role === role).map(targetFile),
      delegations,
    });
    const isValid = latest !== undefined && (await isSignedBy("targets", latest.bytes, keySet));
    if (isValid && gap === 0 && sameContent(latest.bytes, unsigned) && !(await isDue(latest, lifetime)))
      return { file: latest, isNew: false };
    const base = await draftFor(role, unsigned, lifetime, after);
    const bytes = await withSignatures(base, signersHere(ring, role, keySet.keys.map(keyIdOf)));
    if (await isSignedBy("targets", bytes, keySet))
      return { file: { role, version: await versionOf(role, bytes), bytes }, isNew: true };
    return { file: isValid ? latest : undefined, isNew: false, draft: { role, bytes } };
  };

  /** All targets under a root. */
  const targetsBelow = async (root: SignedMetadata): Promise<Below> => {
    const keySet = (await keySetIn(root.bytes, "root", "targets"))!;
    const latest = signed.get("targets");
    const waiting: DraftRecord[] = [];
    const files: SignedMetadata[] = [];
    const delegations: DelegationOptions[] = [];
    for (const record of inPriority([...roles.values()].filter(({ model }) => model !== null))) {
      const { role } = record;
      let wanted = await nextTargets(role, record);
      // Where its new keys have not signed yet, the ones before go on, and the draft comes after what they sign.
      const before = wanted.file === undefined && latest && (await keySetIn(latest.bytes, "targets", role));
      const file = wanted.file ?? (before ? (await nextTargets(role, before)).file : undefined);
      if (before && file !== undefined) wanted = await nextTargets(role, record, { after: file.version });
      if (wanted.draft !== undefined) waiting.push(wanted.draft);
      if (file === undefined) continue;
      files.push(file);
      delegations.push(delegationOf(record, before || record));
    }
    const top = await nextTargets("targets", keySet, { delegations });
    if (top.draft === undefined) return { files: [top.file!, ...files], drafts: waiting };
    const kept = top.file && (await keptBelow(top.file));
    return { files: kept && [top.file!, ...kept], drafts: [top.draft, ...waiting] };
  };

  /** The files of the roles that targets delegate to, which stay as they are. */
  const keptBelow = async (targets: SignedMetadata): Promise<readonly SignedMetadata[] | undefined> => {
    const files: SignedMetadata[] = [];
    for (const { name } of (await parseMetadata("targets", targets.bytes)).signed.delegations.roles) {
      const { file } = await nextTargets(name, (await keySetIn(targets.bytes, "targets", name))!);
      if (file === undefined) return undefined;
      files.push(file);
    }
    return files;
  };

  /** Snapshot and timestamp of these targets; undefined where their keys are not here. */
  const upperFiles = async (
    root: SignedMetadata,
    below: readonly SignedMetadata[],
  ): Promise<readonly SignedMetadata[] | undefined> => {
    const snapshotKeys = (await keySetIn(root.bytes, "root", "snapshot"))!;
    const timestampKeys = (await keySetIn(root.bytes, "root", "timestamp"))!;
    const signers = {
      snapshot: enough(ring, "snapshot", snapshotKeys),
      timestamp: enough(ring, "timestamp", timestampKeys),
    };
    if (signers.snapshot === undefined || signers.timestamp === undefined) return undefined;
    const latest = { snapshot: signed.get("snapshot"), timestamp: signed.get("timestamp") };
    const custom = timestampCustom(state.heads.certificates, state.heads.audit);
    const [targets, ...delegated] = below;
    const isCurrent =
      gap === 0 &&
      latest.snapshot !== undefined &&
      (await lists(latest.snapshot, below)) &&
      (await isSignedBy("snapshot", latest.snapshot.bytes, snapshotKeys)) &&
      !(await isDue(latest.snapshot, lifetimes.snapshot));
    if (!isCurrent) {
      const { snapshot, timestamp, versions } = await signSnapshotAndTimestamp({
        previous: {
          snapshot: (latest.snapshot?.version ?? 0) + gap,
          timestamp: (latest.timestamp?.version ?? 0) + gap,
        },
        targets: targets!,
        delegated: new Map(delegated.map((file) => [file.role, file])),
        expiresMs: { snapshot: now + lifetimes.snapshot, timestamp: now + lifetimes.timestamp },
        signers: { snapshot: signers.snapshot, timestamp: signers.timestamp },
        custom,
      });
      return [
        { role: "snapshot", version: versions.snapshot, bytes: snapshot },
        { role: "timestamp", version: versions.timestamp, bytes: timestamp },
      ];
    }
    const snapshot = latest.snapshot!;
    const { timestamp } = latest;
    if (
      timestamp !== undefined &&
      (await isSignedBy("timestamp", timestamp.bytes, timestampKeys)) &&
      areSigned(await signedHeads(timestamp), state.heads) &&
      !(await isDue(timestamp, lifetimes.timestamp))
    )
      return [snapshot, timestamp];
    const version = (timestamp?.version ?? 0) + 1;
    const bytes = await signTimestamp({
      version,
      expiresMs: now + lifetimes.timestamp,
      snapshot,
      signers: signers.timestamp,
      custom,
    });
    return [snapshot, { role: "timestamp", version, bytes }];
  };

  const below = async (root: SignedMetadata): Promise<Below> => {
    const { files, drafts: waiting } = await targetsBelow(root);
    const upper = files && (await upperFiles(root, files));
    return { files: upper && [...files, ...upper], drafts: waiting };
  };

  const root = await nextRoot();
  const rootDraft = root.draft === undefined ? [] : [root.draft];
  const isNew = (file: SignedMetadata): boolean => signed.get(file.role)?.version !== file.version;
  const whole = root.file && (await below(root.file));
  if (whole?.files !== undefined) {
    return {
      metadata: [root.file!, ...whole.files].filter(isNew),
      drafts: [...rootDraft, ...whole.drafts],
    };
  }
  // A root waits too until the keys that it names have signed what they have to.
  const before = root.isNew ? signed.get("root") : undefined;
  const kept = before && (await below(before));
  if (kept?.files === undefined) throw new TypeError("releases: the keys for a first release are not here");
  const waiting = [{ role: "root", bytes: root.file!.bytes }, ...whole!.drafts, ...kept.drafts];
  return {
    metadata: kept.files.filter(isNew),
    drafts: [...new Map(waiting.toReversed().map((draft) => [draft.role, draft])).values()],
  };
}

function wantedKeys(roles: ReadonlyMap<string, RoleRecord>, role: string): RoleKeySet {
  const record = roles.get(role);
  if (record === undefined) throw new TypeError(`releases: nobody signs for ${role}`);
  return { keys: record.keys, threshold: record.threshold };
}

function delegationOf({ role, model }: RoleRecord, { keys, threshold = 1 }: RoleKeySet): DelegationOptions {
  return { name: role, keys, threshold, paths: pathsOf(role, model!) };
}

function enough(
  ring: Pick<KeyRing, "signersOf">,
  role: string,
  { keys, threshold = 1 }: RoleKeySet,
): readonly TufSigner[] | undefined {
  const here = ring.signersOf(role).filter(({ keyId }) => keys.some((key) => keyIdOf(key) === keyId));
  return here.length >= threshold ? here : undefined;
}

/** Whether a snapshot lists these files, and no others. */
async function lists(snapshot: SignedMetadata, files: readonly SignedMetadata[]): Promise<boolean> {
  const { meta } = (await parseMetadata("snapshot", snapshot.bytes)).signed;
  return (
    meta.size === files.length &&
    files.every(({ role, version }) => meta.get(`${role}.json`)?.version === version)
  );
}

function toSigned({ role, bytes }: DraftRecord): Pick<SignedMetadata, "role" | "bytes"> {
  return { role: fileType(role), bytes };
}

function targetFile({ path, digest, sizeBytes, custom }: TargetRecord) {
  return { path, length: sizeBytes, sha256: digest, custom: custom ?? undefined };
}
