import { failure } from "@tributary/core";

/** The WebSocket subprotocol both sides name in the upgrade. */
export const SUBPROTOCOL = "tributary.v1";

/** A range of protocol versions, both ends included. */
export interface VersionRange {
  readonly minVersion: number;
  readonly maxVersion: number;
}

/** The versions this package speaks. */
export const SUPPORTED_VERSIONS: VersionRange = Object.freeze({ minVersion: 1, maxVersion: 1 });

/**
 * The device's half: picks the newest version both sides speak.
 *
 * @throws protocol/client-too-old when the server has dropped every version this device speaks;
 *   protocol/server-too-old when the server speaks none of them yet.
 */
export function chooseVersion(server: VersionRange, own: VersionRange = SUPPORTED_VERSIONS): number {
  if (server.minVersion > own.maxVersion) {
    throw failure(
      "protocol/client-too-old",
      `protocol: the server speaks versions ${describe(server)}, this device ${describe(own)}; update the device's software`,
      { detail: { serverMin: server.minVersion, ownMax: own.maxVersion } },
    );
  }
  if (server.maxVersion < own.minVersion) {
    throw failure(
      "protocol/server-too-old",
      `protocol: the server speaks versions ${describe(server)}, this device ${describe(own)}; update the coordinator`,
      { detail: { serverMax: server.maxVersion, ownMin: own.minVersion } },
    );
  }
  return Math.min(server.maxVersion, own.maxVersion);
}

/**
 * The server's half: checks the version a device's `hello` chose.
 *
 * @throws protocol/client-too-old or protocol/server-too-old.
 */
export function checkVersion(version: number, own: VersionRange = SUPPORTED_VERSIONS): number {
  return chooseVersion(own, { minVersion: version, maxVersion: version });
}

function describe(range: VersionRange): string {
  return `${range.minVersion}..${range.maxVersion}`;
}
