import type { ModelView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useId, useState } from "react";
import { Link } from "wouter";
import { versionHref } from "../../addresses.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatAgo, formatFull } from "../../format/time.ts";
import { ActionButton } from "../../ui/action-button.tsx";
import { Table } from "../../ui/table.tsx";

/** What points to versions: channels, which devices follow, and aliases, which people use. */
export function ChannelsCard({ model }: { readonly model: ModelView }): ReactNode {
  const now = useServerNow(5_000);
  const { data: channels = [] } = useQuery(useDashboard().queries.channels(model.name));
  const waiting = new Set(channels.flatMap(({ name, signed }) => (signed ? [] : [name])));
  return (
    <section className="card stack" aria-labelledby="channels-title" data-testid="channels">
      <h2 id="channels-title">Channels</h2>
      <Table
        label="Table of channels"
        columns={[
          { title: "Channel", cell: ({ name }) => name },
          {
            title: "Version",
            cell: ({ name, version }) => (
              <>
                <Link className="row-link" href={versionHref(model.name, version)}>
                  {version}
                </Link>
                {waiting.has(name) && (
                  <>
                    {" "}
                    <span
                      className="pill"
                      data-state="pending"
                      title="Devices stay on what it pointed to before"
                    >
                      waits for signatures
                    </span>
                  </>
                )}
              </>
            ),
          },
          {
            title: "Since",
            cell: ({ releasedAt }) => (
              <time dateTime={releasedAt} title={formatFull(releasedAt)}>
                {formatAgo(Date.parse(releasedAt), now)}
              </time>
            ),
          },
          {
            title: "Change",
            cell: ({ name, version }) => (
              <MoveButton key={version} model={model} channel={name} from={version} />
            ),
          },
        ]}
        rows={model.channels}
        keyOf={({ name }) => name}
      />
      {model.aliases.length > 0 && (
        <p className="quiet">
          Also called:{" "}
          {model.aliases.map(({ name, version }, i) => (
            <span key={name}>
              {i > 0 && ", "}
              <Link className="row-link" href={versionHref(model.name, version)}>
                {name}
              </Link>{" "}
              (version {version})
            </span>
          ))}
        </p>
      )}
    </section>
  );
}

interface MoveProps {
  readonly model: ModelView;
  readonly channel: string;
  readonly from: number;
}

function MoveButton({ model, channel, from }: MoveProps): ReactNode {
  const field = useId();
  const [version, setVersion] = useState(model.currentVersion);
  return (
    <ActionButton
      label="Release"
      title={`Move channel ${channel} of ${model.name}`}
      confirm={`Release version ${Number.isNaN(version) ? "…" : version}`}
      hurts={version < from}
      consequence={
        <p>
          Channel <strong>{channel}</strong> moves from version {from} to the one you name. Devices on it that
          are connected load it at once, the others when they come back.
          {version < from && " An older version takes the place of a newer one: a roll-back."}
        </p>
      }
      done={`Channel ${channel} moved to version ${version}.`}
      of={model.name}
      testId="move-channel"
      run={(api) => api.releaseVersion(model.name, version, { channel })}
    >
      <label className="field" htmlFor={field}>
        Version, 1 to {model.currentVersion}
        <input
          id={field}
          type="number"
          min={1}
          max={model.currentVersion}
          required
          value={Number.isNaN(version) ? "" : version}
          onChange={(event) => setVersion(event.target.valueAsNumber)}
        />
      </label>
    </ActionButton>
  );
}
