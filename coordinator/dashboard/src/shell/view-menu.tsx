import { Menu } from "@base-ui/react/menu";
import type { ReactNode } from "react";
import { chooseTheme, type Theme, useTheme } from "../data/preferences.ts";
import { CheckIcon, ThemeIcon } from "../ui/icons.tsx";

const THEMES: readonly { readonly theme: Theme; readonly words: string }[] = [
  { theme: "system", words: "As the system" },
  { theme: "light", words: "Light" },
  { theme: "dark", words: "Dark" },
];

/** How the pages look, and which keys they know. */
export function ViewMenu({ onHelp }: { readonly onHelp: () => void }): ReactNode {
  const theme = useTheme();
  return (
    <Menu.Root>
      <Menu.Trigger className="icon-button" aria-label="View" data-testid="view-menu">
        <ThemeIcon />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner className="positioner" sideOffset={6} align="end">
          <Menu.Popup className="menu">
            <Menu.Group>
              <Menu.GroupLabel className="menu-title">Colours</Menu.GroupLabel>
              <Menu.RadioGroup value={theme} onValueChange={(next: Theme) => chooseTheme(next)}>
                {THEMES.map(({ theme: each, words }) => (
                  <Menu.RadioItem key={each} className="menu-item" value={each}>
                    <span className="menu-mark">
                      <Menu.RadioItemIndicator>
                        <CheckIcon />
                      </Menu.RadioItemIndicator>
                    </span>
                    {words}
                  </Menu.RadioItem>
                ))}
              </Menu.RadioGroup>
            </Menu.Group>
            <Menu.Separator className="menu-line" />
            <Menu.Item className="menu-item" onClick={onHelp}>
              <span className="menu-mark" />
              Keyboard shortcuts
              <kbd>?</kbd>
            </Menu.Item>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
