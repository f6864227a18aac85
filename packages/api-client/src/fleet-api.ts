import type { Client } from "openapi-fetch";
import { answered, json, type CallOptions } from "./calling.ts";
import type { paths } from "./generated/api.ts";
import type {
  CertificateLogView,
  DeviceDetailView,
  DevicePage,
  DeviceView,
  FleetHistoryView,
  FleetView,
  LogEntries,
  PrivacyView,
} from "./views.ts";

export interface LogEntriesOptions extends CallOptions {
  readonly start: number;
  /** 1 to 1000. @defaultValue 1000 */
  readonly limit?: number | undefined;
}

/** What is looked for among devices, and which page: those of which all that is given holds. */
export type DeviceFilter = NonNullable<paths["/v1/devices"]["get"]["parameters"]["query"]>;

/** Which hours, and whose. */
export interface FleetHistoryOptions extends CallOptions {
  /** Whose versions; without it check-ins alone. */
  readonly model?: string | undefined;
  readonly population?: string | undefined;
  /** 1 to 2160. @defaultValue 168 */
  readonly hours?: number | undefined;
}

/** Devices, who vouches for them, and what is known of them. */
export interface FleetApi {
  /** Devices by id, page by page. */
  devices(filter?: DeviceFilter, options?: CallOptions): Promise<DevicePage>;
  device(id: string, options?: CallOptions): Promise<DeviceDetailView>;
  /** Its connection ends within a second, and it is refused everywhere from then on. */
  revokeDevice(id: string, reason: string, options?: CallOptions): Promise<DeviceView>;
  /** Lets a revoked device enrol again. */
  readmitDevice(id: string, options?: CallOptions): Promise<DeviceView>;
  /** Devices by version, engine, software and tag. */
  fleet(options?: CallOptions & { readonly population?: string | undefined }): Promise<FleetView>;
  /** Check-ins, and which versions ran on how many devices. */
  fleetHistory(options?: FleetHistoryOptions): Promise<FleetHistoryView>;
  /** What is known of devices, who vouches for them, what is kept and for how long. */
  privacy(options?: CallOptions): Promise<PrivacyView>;
  /** The head of the certificate log, now and as it was signed last. */
  certificateLog(options?: CallOptions): Promise<CertificateLogView>;
  /** Certificates of the log from `start`, at most 1000. */
  logEntries(options: LogEntriesOptions): Promise<LogEntries>;
}

export function fleetApi(http: Client<paths>): FleetApi {
  return {
    devices: (filter, call) =>
      answered("GET /v1/devices", call, () =>
        http.GET("/v1/devices", { params: { query: { limit: 100, ...filter } }, ...json(call) }),
      ),
    device: (device, call) =>
      answered(`GET /v1/devices/${device}`, call, () =>
        http.GET("/v1/devices/{device}", { params: { path: { device } }, ...json(call) }),
      ),
    revokeDevice: (device, reason, call) =>
      answered(`POST /v1/devices/${device}/revocation`, call, () =>
        http.POST("/v1/devices/{device}/revocation", {
          params: { path: { device } },
          body: { reason },
          ...json(call),
        }),
      ),
    readmitDevice: (device, call) =>
      answered(`DELETE /v1/devices/${device}/revocation`, call, () =>
        http.DELETE("/v1/devices/{device}/revocation", { params: { path: { device } }, ...json(call) }),
      ),
    fleet: ({ population, ...call } = {}) =>
      answered("GET /v1/fleet", call, () =>
        http.GET("/v1/fleet", {
          params: { query: population === undefined ? {} : { population } },
          ...json(call),
        }),
      ),
    fleetHistory: ({ model, population, hours = 168, ...call } = {}) => {
      const query = {
        hours,
        ...(model === undefined ? {} : { model }),
        ...(population === undefined ? {} : { population }),
      };
      return answered("GET /v1/fleet/history", call, () =>
        http.GET("/v1/fleet/history", { params: { query }, ...json(call) }),
      );
    },
    privacy: (call) => answered("GET /v1/privacy", call, () => http.GET("/v1/privacy", { ...json(call) })),
    certificateLog: (call) =>
      answered("GET /v1/certificate-log", call, () => http.GET("/v1/certificate-log", { ...json(call) })),
    logEntries: ({ start, limit = 1000, ...call }) =>
      answered("GET /v1/certificate-log/entries", call, () =>
        http.GET("/v1/certificate-log/entries", { params: { query: { start, limit } }, ...json(call) }),
      ),
  };
}
