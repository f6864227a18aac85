import { Dialog } from "@base-ui/react/dialog";
import { type ReactNode, useState } from "react";
import { CrossIcon, MenuIcon } from "../ui/icons.tsx";
import { Navigation } from "./navigation.tsx";
import { SiteMark } from "./site-mark.tsx";

/** The navigation of a narrow screen: a sheet that a button brings in. */
export function NavigationSheet(): ReactNode {
  const [open, setOpen] = useState(false);
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Trigger className="icon-button sheet-button" aria-label="Pages" data-testid="open-navigation">
        <MenuIcon />
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="sheet">
          <div className="sheet-head">
            <SiteMark />
            <Dialog.Title className="visually-hidden">Pages</Dialog.Title>
            <Dialog.Close className="icon-button" aria-label="Close">
              <CrossIcon />
            </Dialog.Close>
          </div>
          <nav aria-label="Pages">
            <Navigation onChoose={() => setOpen(false)} />
          </nav>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
