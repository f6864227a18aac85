import { Popover } from "@base-ui/react/popover";
import type { ReactNode } from "react";
import { HelpIcon } from "./icons.tsx";

/** A small button that explains the word before it: by click and by touch, as a hover text cannot. */
export function Hint({
  about,
  children,
}: {
  readonly about: string;
  readonly children: ReactNode;
}): ReactNode {
  return (
    <Popover.Root>
      <Popover.Trigger className="hint" aria-label={`About ${about}`}>
        <HelpIcon />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner className="positioner" sideOffset={6} collisionPadding={12}>
          <Popover.Popup className="popover">
            <Popover.Title className="popover-title">{about}</Popover.Title>
            <Popover.Description className="popover-text" render={<div />}>
              {children}
            </Popover.Description>
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}
