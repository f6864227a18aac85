import { useEffect, useRef } from "react";

/** Whether the address changed by the browser's own way back or forth, which finds its place by itself. */
let wentBack = false;
addEventListener("popstate", () => {
  wentBack = true;
});

/** What follows a change of page: the document's title, the focus within the new page, and its beginning in sight. */
export function usePageChange(pathname: string, title: string): void {
  useEffect(() => {
    document.title = title === "Overview" ? "Tributary" : `${title} · Tributary`;
  }, [title]);

  const shown = useRef(pathname);
  useEffect(() => {
    if (shown.current === pathname) return;
    shown.current = pathname;
    document.querySelector<HTMLElement>("#main")?.focus({ preventScroll: true });
    if (!wentBack) scrollTo(0, 0);
    wentBack = false;
  }, [pathname]);
}
