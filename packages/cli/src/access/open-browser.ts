/** Whether a window would appear where this runs: without a display some systems open a browser of text in the terminal. */
export function hasDisplay(
  env: Readonly<NodeJS.ProcessEnv> = process.env,
  platform: NodeJS.Platform = process.platform,
): boolean {
  if (platform === "win32" || platform === "darwin") return true;
  return ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].some((name) => (env[name] ?? "") !== "");
}

/** Opens an address in the browser that is used here. @returns whether something was begun that opens it */
export async function openBrowser(address: string): Promise<boolean> {
  if (!hasDisplay()) return false;
  try {
    const { default: open } = await import("open");
    const opener = await open(address);
    // The address was printed: it is not missed.
    opener.on("error", () => {});
    return true;
  } catch {
    return false;
  }
}
