import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { useSelectedTask } from "../data/use-selected-task.ts";
import { AuditCard } from "./audit-card.tsx";
import { ConnectionBanner } from "./connection-banner.tsx";
import { ReleaseBanner } from "./release-banner.tsx";
import { StorageBanner } from "./storage-banner.tsx";
import { EmptyState } from "./empty-state.tsx";
import { LoadError } from "./load-error.tsx";
import { PageSkeleton } from "./page-skeleton.tsx";
import { SiteHeader } from "./site-header.tsx";
import { TaskList } from "./task-list.tsx";
import { TaskPage } from "./task-page.tsx";

/** The whole page: one task at a time, all tasks one link away. */
export function App(): ReactNode {
  return (
    <>
      {/* A button: a link to #main would leave the task that the address names. */}
      <button
        type="button"
        className="skip"
        onClick={() => document.querySelector<HTMLElement>("#main")?.focus()}
      >
        Skip to the figures
      </button>
      <SiteHeader />
      <ConnectionBanner />
      <StorageBanner />
      <ReleaseBanner />
      <main id="main" tabIndex={-1}>
        <Content />
        <div className="page">
          <AuditCard />
        </div>
      </main>
    </>
  );
}

function Content(): ReactNode {
  const { queries } = useDashboard();
  const tasks = useQuery(queries.tasks());
  const selected = useSelectedTask();
  if (tasks.data === undefined) {
    return tasks.isError ? (
      <LoadError error={tasks.error} retry={() => void tasks.refetch()} />
    ) : (
      <PageSkeleton />
    );
  }
  const task = tasks.data.find(({ name }) => name === selected) ?? tasks.data[0];
  if (task === undefined) return <EmptyState />;
  return (
    <>
      {tasks.data.length > 1 && <TaskList tasks={tasks.data} selected={task.name} />}
      <TaskPage key={task.name} task={task} />
    </>
  );
}
