import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { CommandLine } from "./command-line.tsx";
import { VersionsCard } from "./versions-card.tsx";

/** No task yet: what to run, and what is there already. */
export function EmptyState(): ReactNode {
  const { queries } = useDashboard();
  const { data: models } = useQuery(queries.models());
  const model = models?.[0];
  return (
    <div className="page">
      <section className="card empty" data-testid="empty-state">
        <svg className="empty-art" viewBox="0 0 240 96" aria-hidden="true" focusable="false">
          <path d="M10 14C90 14 96 48 230 48" />
          <path d="M10 48H230" />
          <path d="M10 82C90 82 96 48 230 48" />
          <circle cx="10" cy="14" r="5" />
          <circle cx="10" cy="48" r="5" />
          <circle cx="10" cy="82" r="5" />
          <circle cx="230" cy="48" r="7" />
        </svg>
        <h1>No task yet</h1>
        {model === undefined ? (
          <>
            <p>
              A task says which model the devices learn together. This starts one on handwritten digits, with
              a small fleet of devices on this machine:
            </p>
            <CommandLine command="npx --yes pnpm@12 start" />
            <p>Or publish a model of your own, exported as ONNX:</p>
            <CommandLine command="npx --yes pnpm@12 tributary publish model.onnx" />
          </>
        ) : (
          <>
            <p>
              The model <strong>{model.name}</strong> is published. A task lets devices learn it together:
            </p>
            <CommandLine command="npx --yes pnpm@12 tributary task create task.json" />
          </>
        )}
        <p className="empty-note">This page follows by itself; there is no need to reload it.</p>
      </section>
      {model !== undefined && <VersionsCard model={model.name} current={model.currentVersion} rounds={[]} />}
    </div>
  );
}
