import type { KeyRoleView, StatusView } from "@tributary/api-client";

/** Something about releases that operators have to know. */
export interface ReleaseNotice {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  /** What to do about it first. */
  readonly command?: string;
}

/** Metadata that runs out this soon is told of, whoever should sign it. */
export const SOON_DAYS = 3;

/** What waits for signatures or is about to expire, and versions that devices do not run. */
export function releaseNotices(
  roles: readonly KeyRoleView[],
  refused: StatusView["refusedVersions"],
): ReleaseNotice[] {
  return [...roles.flatMap(roleNotices), ...refused.map(refusedNotice)];
}

function roleNotices({ role, waiting, expiresInDays }: KeyRoleView): ReleaseNotice[] {
  const days = expiresInDays ?? Infinity;
  if (waiting === null && days > SOON_DAYS) return [];
  const expired = days < 0 ? "has expired" : `expires in ${days} days`;
  if (waiting === null) {
    return [
      {
        id: `${role} expires`,
        title: `Metadata of "${role}" ${expired}.`,
        text: "It is signed again by itself while the coordinator runs; its log says why it was not.",
      },
    ];
  }
  const counts = waiting.signatures
    .map(({ have, need }) => `${have} of ${need}`)
    .join(", and of the keys before ");
  const what =
    waiting.reason === "renewal"
      ? `Metadata of "${role}" ${expired}, and its renewal waits for signatures.`
      : `A change of "${role}" waits for signatures.`;
  return [
    {
      id: `${role} waits`,
      title: what,
      text: `${counts} are there. Export it, sign it where the key lies, and import it:`,
      command: `tributary keys export ${role}`,
    },
  ];
}

function refusedNotice({
  model,
  version,
  code,
  devices,
}: StatusView["refusedVersions"][number]): ReleaseNotice {
  return {
    id: `${model} ${version} ${code}`,
    title: `${devices} ${devices === 1 ? "device does" : "devices do"} not run version ${version} of ${model}.`,
    text:
      code === "runtime/self-check-failed"
        ? "It answers otherwise there than where it was published; they stay on the version before."
        : `They stay on the version before: ${code}.`,
  };
}
