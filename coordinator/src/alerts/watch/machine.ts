import { expiryOf } from "../../releases/role-files.ts";
import { waitingRoles } from "../../releases/role-views.ts";
import { percent, type Finding, type Watch } from "../finding.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Roles that the coordinator renews by itself. */
const RENEWED: ReadonlySet<string> = new Set(["timestamp", "snapshot"]);

/** Nothing can be written. */
export const storageProblem: Watch = async ({ storageProblem: problem }) => {
  const found = problem();
  if (found === null) return [];
  return [
    {
      subject: {},
      value: null,
      summary: `The coordinator can write nothing: ${found.code}`,
      advice: "Free space, or mend the file system, of the data directory.",
    },
  ];
};

/** Little space is left. */
export const diskAlmostFull: Watch = async ({ space }, _, { threshold }) => {
  const { free, total } = await space();
  const share = total === 0 ? 1 : free / total;
  if (share >= threshold) return [];
  return [
    {
      subject: {},
      value: share,
      summary: `${percent(Number(share.toFixed(3)))} of the data directory's file system is free`,
      advice: "Free space, or keep fewer versions: tributary model retention.",
    },
  ];
};

/** Requests wait for the main thread. */
export const coordinatorBusy: Watch = async ({ busy }, _, { threshold }) => {
  const share = busy();
  if (share < threshold) return [];
  return [
    {
      subject: {},
      value: share,
      summary: `The coordinator's main thread is busy ${percent(Number(share.toFixed(2)))} of the time`,
      advice: "Devices and requests wait for it: give it a faster machine, or fewer devices at a time.",
    },
  ];
};

/** What operators have to sign anew. */
export const metadataExpires: Watch = (signals, _, { threshold, now }) =>
  expiring(
    signals,
    now + threshold * DAY_MS,
    (role) => !RENEWED.has(role),
    (role, atMs) => ({
      subject: { role },
      value: (atMs - now) / DAY_MS,
      summary: `Signed metadata of ${role} expires on ${new Date(atMs).toISOString().slice(0, 10)}`,
      advice: "Sign it anew: tributary keys",
    }),
  );

/** What should have been signed anew without anybody. */
export const metadataNotRenewed: Watch = (signals, _, { threshold, now }) =>
  expiring(
    signals,
    now + threshold * MINUTE_MS,
    (role) => RENEWED.has(role),
    (role, atMs) => ({
      subject: { role },
      value: (atMs - now) / MINUTE_MS,
      summary: `${role} expires at ${new Date(atMs).toISOString()} and was not signed anew`,
      advice: "Look at the coordinator's log. Devices take no update once it has expired.",
    }),
  );

/** What devices do not get before keys that lie elsewhere have signed it. A renewal has months: `metadataExpires` tells of it. */
export const signaturesMissing: Watch = async ({ store }) =>
  (await waitingRoles(store)).flatMap(({ role, model, waiting }): readonly Finding[] => {
    if (waiting.reason !== "change") return [];
    const counts = waiting.signatures.map(({ have, need }) => `${have} of ${need}`);
    return [
      {
        subject: { role, ...(model === null ? {} : { model }) },
        value: null,
        summary: `A change of ${role} waits for signatures: ${counts.join(", and of the keys before ")} are there`,
        advice: `Devices do not get it before: tributary keys export ${role}, tributary keys sign, tributary keys import ${role}`,
      },
    ];
  });

async function expiring(
  { store }: Pick<Parameters<Watch>[0], "store">,
  before: number,
  isOne: (role: string) => boolean,
  found: (role: string, atMs: number) => Finding,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const signed of await store.releases.allLatest()) {
    if (!isOne(signed.role)) continue;
    const atMs = await expiryOf(signed);
    if (atMs < before) findings.push(found(signed.role, atMs));
  }
  return findings;
}
