import { Tabs } from "@base-ui/react/tabs";
import type { ReactNode } from "react";
import { useSearchParams } from "wouter";

export interface PageTab {
  /** In the address: `?tab=rounds`. */
  readonly id: string;
  readonly title: string;
  readonly content: () => ReactNode;
}

/** Parts of a page of which one is shown. The address says which, so that it can be linked to and reloaded. */
export function PageTabs({
  label,
  tabs,
}: {
  readonly label: string;
  readonly tabs: readonly PageTab[];
}): ReactNode {
  const [search, setSearch] = useSearchParams();
  const first = tabs[0]?.id ?? "";
  const chosen = tabs.find(({ id }) => id === search.get("tab"))?.id ?? first;
  return (
    <Tabs.Root
      className="tabs"
      value={chosen}
      onValueChange={(next: string) =>
        setSearch(
          (was) => {
            const params = new URLSearchParams(was);
            if (next === first) params.delete("tab");
            else params.set("tab", next);
            return params;
          },
          { replace: true },
        )
      }
    >
      <Tabs.List className="tab-list" aria-label={label}>
        {tabs.map(({ id, title }) => (
          <Tabs.Tab key={id} className="tab" value={id} data-testid={`tab-${id}`}>
            {title}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {tabs.map(({ id, content }) => (
        <Tabs.Panel key={id} className="tab-panel" value={id}>
          {id === chosen && content()}
        </Tabs.Panel>
      ))}
    </Tabs.Root>
  );
}
