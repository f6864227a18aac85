import type { NotificationChannelView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { ALL_MODELS, useCan } from "../../data/permissions.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatAgo } from "../../format/time.ts";
import { ActionButton } from "../../ui/action-button.tsx";
import { CommandLine } from "../../ui/command-line.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { Table } from "../../ui/table.tsx";
import { OperatorTokenForm } from "../../view/operator-token-form.tsx";

/** Where alerts are told: it says whom operators call, so it is for them alone. */
export function ChannelList(): ReactNode {
  const { operator } = useDashboard();
  const can = useCan();
  const [open, setOpen] = useState(operator.known);
  const [failed, setFailed] = useState<string>();
  const unlock = (token: string): void => {
    operator
      .run((api) => api.notificationChannels(), token)
      .then(
        () => setOpen(true),
        (error: unknown) => setFailed(error instanceof Error ? error.message : String(error)),
      );
  };
  return (
    <section className="card stack" aria-labelledby="channels-title" data-testid="channels">
      <div className="card-head">
        <h2 id="channels-title">Where alerts are told</h2>
      </div>
      {!can("administer", ALL_MODELS) ? (
        <p data-testid="channels-for-admins">
          Whom alerts are told is for administrators of all models to see and to set.
        </p>
      ) : open ? (
        <Channels />
      ) : (
        <OperatorTokenForm
          action="Show the channels"
          failed={failed}
          onToken={unlock}
          testId="unlock-channels"
        />
      )}
      {can("administer", ALL_MODELS) && (
        <>
          <p className="quiet">
            A webhook, a chat or a mail is a document; secrets in it are never shown again:
          </p>
          <CommandLine command="tributary notify set ops.json" />
        </>
      )}
    </section>
  );
}

function Channels(): ReactNode {
  const { operator } = useDashboard();
  const now = useServerNow(15_000);
  const query = useQuery<readonly NotificationChannelView[]>({
    queryKey: ["notification-channels"],
    queryFn: () => operator.run((api) => api.notificationChannels()),
    staleTime: 0,
  });
  return (
    <Loaded query={query}>
      {(channels) =>
        channels.length === 0 ? (
          <p>Alerts are told to nobody yet.</p>
        ) : (
          <Table
            label="Channels"
            columns={[
              { title: "Channel", cell: ({ name }) => name },
              { title: "Kind", text: true, cell: ({ target }) => target.kind },
              {
                title: "To",
                text: true,
                cell: ({ host, problem }) => host ?? <span className="lost">{problem}</span>,
              },
              { title: "From", text: true, cell: ({ minimumSeverity }) => minimumSeverity },
              {
                title: "Of",
                text: true,
                cell: ({ rules }) => (rules.length === 0 ? "all rules" : rules.join(", ")),
              },
              {
                title: "Last delivered",
                cell: ({ lastDeliveredAt }) =>
                  lastDeliveredAt === null ? "never" : formatAgo(Date.parse(lastDeliveredAt), now),
              },
              {
                title: "Last error",
                text: true,
                cell: ({ lastError, queued }) =>
                  lastError === null ? (
                    ""
                  ) : (
                    <span className={queued > 0 ? "lost" : "quiet"}>{lastError.message}</span>
                  ),
              },
              {
                title: "",
                cell: ({ name }) => (
                  <ActionButton
                    label="Test"
                    title={`Test ${name}`}
                    consequence="A notification that says it is a test is sent there, once."
                    done={`${name} took it`}
                    requires="administer"
                    of={ALL_MODELS}
                    testId={`test-${name}`}
                    run={async (api) => {
                      const { state, lastError } = await api.testNotificationChannel(name);
                      await query.refetch();
                      if (state !== "delivered") throw new Error(lastError ?? state);
                    }}
                  />
                ),
              },
            ]}
            rows={channels}
            keyOf={({ name }) => name}
          />
        )
      }
    </Loaded>
  );
}
