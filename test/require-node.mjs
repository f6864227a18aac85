/** Ends the process with one clear sentence when the install did not finish: then the workspace's own Node 24 is missing. */
export function requireModernNode() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= 24) return;
  console.error(
    `This needs Node 24 and runs on ${process.version}: the install above did not finish. ` +
      "Run `npx --yes pnpm@12 install` and read its first error.",
  );
  process.exit(1);
}
