import { Dialog } from "@base-ui/react/dialog";
import { Switch } from "@base-ui/react/switch";
import { type ReactNode, useId } from "react";
import { useCan } from "../data/permissions.ts";
import { turnShortcuts, useShortcutsOn } from "../data/preferences.ts";
import { PAGES } from "../pages.ts";
import { CrossIcon } from "../ui/icons.tsx";

interface Props {
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
}

/** The keys that the pages know, and a switch that turns them off. */
export function ShortcutHelp({ open, onOpenChange }: Props): ReactNode {
  const on = useShortcutsOn();
  const can = useCan();
  const label = useId();
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog" data-testid="shortcut-help">
          <div className="dialog-head">
            <Dialog.Title className="dialog-title">Keyboard shortcuts</Dialog.Title>
            <Dialog.Close className="icon-button" aria-label="Close">
              <CrossIcon />
            </Dialog.Close>
          </div>
          <dl className="shortcuts">
            {PAGES.filter(({ nav, requires, of }) => nav !== undefined && can(requires, of)).map(
              ({ path, title, nav }) => (
                <div key={path}>
                  <dt>
                    <kbd>g</kbd> <kbd>{nav?.key}</kbd>
                  </dt>
                  <dd>{title({})}</dd>
                </div>
              ),
            )}
            <div>
              <dt>
                <kbd>?</kbd>
              </dt>
              <dd>This help</dd>
            </div>
            <div>
              <dt>
                <kbd>Esc</kbd>
              </dt>
              <dd>Closes what is open</dd>
            </div>
          </dl>
          <div className="switch-line">
            <span id={label}>Single keys do something</span>
            <Switch.Root
              className="switch"
              checked={on}
              onCheckedChange={turnShortcuts}
              aria-labelledby={label}
            >
              <Switch.Thumb className="switch-thumb" />
            </Switch.Root>
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
