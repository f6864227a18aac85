import type { Client } from "openapi-fetch";
import { answered, json, noContent, type CallOptions } from "./calling.ts";
import type { paths } from "./generated/api.ts";
import { pageQuery, type PageOptions } from "./pages.ts";
import type {
  AlertPage,
  AlertRuleInput,
  AlertRuleView,
  AlertView,
  NewSilence,
  SilenceView,
} from "./views.ts";

export interface AlertsOptions extends PageOptions {
  readonly state?: AlertView["state"] | undefined;
  readonly rule?: string | undefined;
  readonly model?: string | undefined;
  readonly task?: string | undefined;
}

/** Alerts, their rules and silences. */
export interface AlertsApi {
  /** What fires first, then what is pending, then what has resolved, the newest first. */
  alerts(options?: AlertsOptions): Promise<AlertPage>;
  alert(id: number, options?: CallOptions): Promise<AlertView>;
  /** Somebody has seen it: it is not told again. */
  acknowledgeAlert(
    id: number,
    said: { readonly by?: string; readonly comment?: string },
    options?: CallOptions,
  ): Promise<AlertView>;
  /** Takes an acknowledgement back. */
  unacknowledgeAlert(id: number, options?: CallOptions): Promise<AlertView>;
  /** Those that have not ended first. */
  silences(options?: CallOptions): Promise<readonly SilenceView[]>;
  silence(silence: NewSilence, options?: CallOptions): Promise<SilenceView>;
  /** Ends a silence now. */
  endSilence(id: number, options?: CallOptions): Promise<SilenceView>;
  /** By name. */
  alertRules(options?: CallOptions): Promise<readonly AlertRuleView[]>;
  alertRule(name: string, options?: CallOptions): Promise<AlertRuleView>;
  /** Adds a rule, or changes the one of its name. */
  setAlertRule(rule: AlertRuleInput, options?: CallOptions): Promise<AlertRuleView>;
  /** Removes a rule of one's own; one that is built in is again as it was. */
  removeAlertRule(name: string, options?: CallOptions): Promise<void>;
}

type SilenceBody = paths["/v1/alert-silences"]["post"]["requestBody"]["content"]["application/json"];
type RuleBody = paths["/v1/alert-rules/{rule}"]["put"]["requestBody"]["content"]["application/json"];

export function alertsApi(http: Client<paths>): AlertsApi {
  return {
    alerts: ({ state, rule, model, task, ...options } = {}) => {
      const query = {
        ...pageQuery(options, 100),
        ...(state && { state }),
        ...(rule && { rule }),
        ...(model && { model }),
        ...(task && { task }),
      };
      return answered("GET /v1/alerts", options, () =>
        http.GET("/v1/alerts", { params: { query }, ...json(options) }),
      );
    },
    alert: (alert, call) =>
      answered(`GET /v1/alerts/${alert}`, call, () =>
        http.GET("/v1/alerts/{alert}", { params: { path: { alert } }, ...json(call) }),
      ),
    acknowledgeAlert: (alert, said, call) =>
      answered(`POST /v1/alerts/${alert}/acknowledgement`, call, () =>
        http.POST("/v1/alerts/{alert}/acknowledgement", {
          params: { path: { alert } },
          body: { comment: "", ...said },
          ...json(call),
        }),
      ),
    unacknowledgeAlert: (alert, call) =>
      answered(`DELETE /v1/alerts/${alert}/acknowledgement`, call, () =>
        http.DELETE("/v1/alerts/{alert}/acknowledgement", { params: { path: { alert } }, ...json(call) }),
      ),
    silences: async (call) =>
      (
        await answered("GET /v1/alert-silences", call, () =>
          http.GET("/v1/alert-silences", { ...json(call) }),
        )
      ).silences,
    silence: (silence, call) =>
      answered("POST /v1/alert-silences", call, () =>
        http.POST("/v1/alert-silences", { body: silence as SilenceBody, ...json(call) }),
      ),
    endSilence: (silence, call) =>
      answered(`DELETE /v1/alert-silences/${silence}`, call, () =>
        http.DELETE("/v1/alert-silences/{silence}", { params: { path: { silence } }, ...json(call) }),
      ),
    alertRules: async (call) =>
      (await answered("GET /v1/alert-rules", call, () => http.GET("/v1/alert-rules", { ...json(call) })))
        .rules,
    alertRule: (rule, call) =>
      answered(`GET /v1/alert-rules/${rule}`, call, () =>
        http.GET("/v1/alert-rules/{rule}", { params: { path: { rule } }, ...json(call) }),
      ),
    setAlertRule: (rule, call) =>
      answered(`PUT /v1/alert-rules/${rule.name}`, call, () =>
        http.PUT("/v1/alert-rules/{rule}", {
          params: { path: { rule: rule.name } },
          // What is left out is as by default.
          body: rule as RuleBody,
          ...json(call),
        }),
      ),
    async removeAlertRule(rule, call) {
      await answered(`DELETE /v1/alert-rules/${rule}`, call, async () =>
        noContent(await http.DELETE("/v1/alert-rules/{rule}", { params: { path: { rule } }, ...json(call) })),
      );
    },
  };
}
