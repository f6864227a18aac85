/** Tasks had addresses such as `/#/tasks/digits`: whoever kept one arrives where it is now. */
export function moveFromHash(): void {
  if (location.pathname === "/" && location.hash.startsWith("#/tasks/")) {
    history.replaceState(null, "", location.hash.slice(1));
  }
}
