import { loadavg } from "node:os";
import { adoptVersion } from "./test/src/fleet/adopt-version.ts";
const [devices, processes, loading] = process.argv.slice(2).map(Number);
const began = Date.now();
const { adoptions, ...figures } = await adoptVersion({
  devices: devices!,
  processes: processes!,
  loading: loading!,
  seed: "fleet",
  log: (l) => console.log(l, (Date.now() - began) / 1000, loadavg()[0]),
});
console.log(devices, figures, adoptions[0], loadavg()[0]);
