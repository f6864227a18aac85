import type { BufferView } from "@tributary/api-client";
import { counted } from "../counted.ts";
import { formatNumber } from "../start/format.ts";

/** A task's buffer as the terminal shows it. */
export function bufferLines(task: string, buffer: BufferView | null): readonly string[] {
  if (buffer === null) return [`${task} is synchronous: each round makes a version`];
  const { updates, bufferSize, head, liveBases, cohorts, superseded } = buffer;
  return [
    `${updates} of ${bufferSize} updates wait for version ${head + 1}; ${superseded} superseded`,
    ...liveBases.map(
      ({ version, staleness, devices, ready }) =>
        `from version ${version} (staleness ${staleness}): ${counted(devices, "device")}, ${ready} ready`,
    ),
    ...cohorts.map(
      ({ roundId, baseVersion, staleness, discount, updates: members, version }) =>
        `${roundId}  base ${baseVersion}  staleness ${staleness}, counts ${formatNumber(discount, 2)}  ${counted(members, "update")}  ${version === null ? "waits" : `in version ${version}`}`,
    ),
  ];
}
