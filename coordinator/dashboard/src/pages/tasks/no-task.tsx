import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { modelHref } from "../../addresses.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { CommandLine } from "../../ui/command-line.tsx";
import { Empty } from "../../ui/empty.tsx";

/** No task yet: what to run, and what is there already. */
export function NoTask(): ReactNode {
  const { queries } = useDashboard();
  const { data: models } = useQuery(queries.models());
  const model = models?.[0];
  return (
    <Empty title="No task yet">
      {model === undefined ? (
        <>
          <p>
            A task says which model the devices learn together. This starts one on handwritten digits, with a
            small fleet of devices on this machine:
          </p>
          <CommandLine command="npx --yes pnpm@12 start" />
          <p>Or publish a model of your own, exported as ONNX:</p>
          <CommandLine command="npx --yes pnpm@12 tributary publish model.onnx" />
        </>
      ) : (
        <>
          <p>
            The model{" "}
            <Link className="row-link" href={modelHref(model.name)}>
              {model.name}
            </Link>{" "}
            is published. A task lets devices learn it together:
          </p>
          <CommandLine command="npx --yes pnpm@12 tributary task create task.json" />
        </>
      )}
      <p className="empty-note">This page follows by itself; there is no need to reload it.</p>
    </Empty>
  );
}
