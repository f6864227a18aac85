import type { KeyRoleView } from "@tributary/api-client";
import type { ReactNode } from "react";
import { formatCount, NONE } from "../../format/numbers.ts";
import { SOON_DAYS } from "../../model/release-notices.ts";
import { Hint } from "../../ui/hint.tsx";
import { Table } from "../../ui/table.tsx";

/** Who signs the releases, and until when they are signed: what runs out first stands first. */
export function KeysCard({ keys }: { readonly keys: readonly KeyRoleView[] }): ReactNode {
  const sorted = keys.toSorted((a, b) => (a.expiresInDays ?? Infinity) - (b.expiresInDays ?? Infinity));
  return (
    <section className="card" aria-labelledby="overview-keys">
      <div className="card-head">
        <h2 id="overview-keys">Signatures</h2>
        <Hint about="signatures">
          <p>
            Devices run what signed metadata lists. What the coordinator signs is signed again by itself; of
            what is signed elsewhere the overview tells in time.
          </p>
        </Hint>
      </div>
      <Table
        wide
        label="Table of signatures"
        columns={[
          { title: "Role", cell: ({ role }) => role },
          { title: "Keys", cell: (role) => `${role.threshold} of ${formatCount(role.keys.length)}` },
          { title: "Signed", text: true, cell: signer },
          { title: "Expires", cell: expiry },
        ]}
        rows={sorted}
        keyOf={({ role }) => role}
      />
    </section>
  );
}

/** By itself, with keys that lie here, or where they lie. */
function signer({ online, keys, threshold }: KeyRoleView): string {
  if (online) return "by itself";
  return keys.filter(({ here }) => here).length >= threshold ? "here" : "elsewhere";
}

function expiry({ expiresInDays }: KeyRoleView): ReactNode {
  if (expiresInDays === null) return NONE;
  if (expiresInDays < 0) return <span className="lost">has expired</span>;
  const words = expiresInDays === 0 ? "today" : `in ${expiresInDays} ${expiresInDays === 1 ? "day" : "days"}`;
  return expiresInDays <= SOON_DAYS ? <span className="lost">{words}</span> : words;
}
