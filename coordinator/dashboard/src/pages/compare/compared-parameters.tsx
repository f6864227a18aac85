import type { CompareView } from "@tributary/api-client";
import type { ReactNode } from "react";
import { useSearchParams } from "wouter";
import { plainValue } from "../../model/compare-lines.ts";
import { type Column, Table } from "../../ui/table.tsx";

type Parameter = CompareView["parameters"][number];

/** What differs between their documents; all of it on demand. */
export function ComparedParameters({ view }: { readonly view: CompareView }): ReactNode {
  const { subjects, parameters } = view;
  const [address, setAddress] = useSearchParams();
  const all = address.get("all") === "1";
  const differing = parameters.filter(({ differs }) => differs);
  const shown = all ? parameters : differing;
  const columns: readonly Column<Parameter>[] = [
    { title: "Parameter", cell: ({ path }) => <code>{path}</code> },
    ...subjects.map(({ ref }, i) => ({
      title: ref,
      cell: ({ values, differs }: Parameter) => (
        <span className="parameter" data-differs={differs} title={values[i] ?? undefined}>
          {plainValue(values[i] ?? null)}
        </span>
      ),
    })),
  ];
  return (
    <section className="card" aria-labelledby="parameters-title" data-testid="compared-parameters">
      <div className="card-head">
        <h2 id="parameters-title">Parameters</h2>
        <span className="quiet">
          {differing.length} of {parameters.length} differ
        </span>
        <label className="card-tools choice">
          <input
            type="checkbox"
            checked={all}
            onChange={() =>
              setAddress(
                (was) => {
                  const next = new URLSearchParams(was);
                  if (all) next.delete("all");
                  else next.set("all", "1");
                  return next;
                },
                { replace: true },
              )
            }
          />
          Show all
        </label>
      </div>
      {shown.length === 0 ? (
        <p className="quiet">Their documents say the same.</p>
      ) : (
        <Table label="Parameters side by side" columns={columns} rows={shown} keyOf={({ path }) => path} />
      )}
    </section>
  );
}
