import {
  ALERT_RULE_SCHEMA,
  AlertAcknowledge,
  AlertList,
  AlertListQuery,
  AlertRule,
  AlertRuleList,
  AlertRuleNameSchema,
  AlertRuleView,
  AlertView,
  NewSilence,
  SilenceList,
  SilenceView,
} from "@tributary/protocol";
import Type from "typebox";
import type { FastifyRequest } from "fastify";
import { actorOf } from "../access/principal.ts";
import { subjectScope } from "../access/subject-scope.ts";
import type { App } from "../http/app.ts";
import { bodyCheckedByHandler } from "../http/validators.ts";
import { namedByPath } from "../http/named-by-path.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { Alerts } from "./alerts.ts";

const tags = ["alerts"];
const security = [{ operator: [] }];
const Id = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const ofAlert = Type.Object({ alert: Id });
const ofSilence = Type.Object({ silence: Id });
const ofRule = Type.Object({ rule: AlertRuleNameSchema });

/** One shows what the caller sees, and changes what they operate. */
const config = { of: "any" } as const;

/** Alerts, the rules that they follow from, and silences. Rules are for whoever operates all models: they hold for all. */
export function registerAlertRoutes(
  app: App,
  { alerts, store }: { readonly alerts: Alerts; readonly store: Pick<MetadataStore, "tasks"> },
): void {
  const scopeOf = ({ principal }: Pick<FastifyRequest, "principal">) => subjectScope(principal, store);

  app.get(
    "/v1/alerts",
    {
      config,
      schema: {
        summary: "Alerts: what fires first, then what is pending, then what has resolved, the newest first",
        tags,
        querystring: AlertListQuery,
        response: { 200: AlertList },
      },
    },
    async (request) => alerts.list(request.query, await scopeOf(request)),
  );

  app.get(
    "/v1/alerts/:alert",
    { config, schema: { summary: "One alert", tags, params: ofAlert, response: { 200: AlertView } } },
    async (request) => alerts.get(request.params.alert, await scopeOf(request)),
  );

  app.post(
    "/v1/alerts/:alert/acknowledgement",
    {
      config,
      schema: {
        summary: "Say that somebody has seen an alert that fires: it is not told again",
        tags,
        security,
        params: ofAlert,
        body: AlertAcknowledge,
        response: { 200: AlertView },
      },
    },
    async (request) =>
      alerts.acknowledge(request.params.alert, request.body, actorOf(request), await scopeOf(request)),
  );

  app.delete(
    "/v1/alerts/:alert/acknowledgement",
    {
      config,
      schema: {
        summary: "Take an acknowledgement back",
        tags,
        security,
        params: ofAlert,
        response: { 200: AlertView },
      },
    },
    async (request) =>
      alerts.acknowledge(request.params.alert, null, actorOf(request), await scopeOf(request)),
  );

  app.get(
    "/v1/alert-silences",
    {
      config,
      schema: {
        summary: "Silences: those that have not ended first",
        tags,
        response: { 200: SilenceList },
      },
    },
    async (request) => ({ silences: await alerts.silences(await scopeOf(request)) }),
  );

  app.post(
    "/v1/alert-silences",
    {
      config,
      schema: {
        summary: "Tell nobody of alerts that match, for a time; they are seen all the same",
        tags,
        security,
        body: NewSilence,
        response: { 201: SilenceView },
      },
    },
    async (request, reply) =>
      reply.status(201).send(await alerts.silence(request.body, actorOf(request), await scopeOf(request))),
  );

  app.delete(
    "/v1/alert-silences/:silence",
    {
      config,
      schema: {
        summary: "End a silence now",
        tags,
        security,
        params: ofSilence,
        response: { 200: SilenceView },
      },
    },
    async (request) => alerts.endSilence(request.params.silence, actorOf(request), await scopeOf(request)),
  );

  app.get(
    "/v1/alert-rules",
    {
      config,
      schema: {
        summary: "Alert rules: those that are built in, as operators have them, and their own",
        tags,
        response: { 200: AlertRuleList },
      },
    },
    async (request) => ({ rules: await alerts.rules(await scopeOf(request)) }),
  );

  app.get(
    "/v1/alert-rules/:rule",
    { config, schema: { summary: "One alert rule", tags, params: ofRule, response: { 200: AlertRuleView } } },
    async (request) => alerts.rule(request.params.rule, await scopeOf(request)),
  );

  app.put(
    "/v1/alert-rules/:rule",
    {
      // Checked by parseAlertRule, which fills in the defaults and names the field that is wrong.
      schema: {
        summary: "Add an alert rule, or change one; what its document leaves out is as by default",
        tags,
        security,
        params: ofRule,
        body: namedByPath(AlertRule),
        response: { 200: AlertRuleView },
      },
      validatorCompiler: bodyCheckedByHandler,
    },
    (request) => alerts.setRule(request.params.rule, request.body, actorOf(request)),
  );

  app.delete(
    "/v1/alert-rules/:rule",
    {
      schema: {
        summary: "Remove a rule of one's own; one that is built in is again as it was",
        tags,
        security,
        params: ofRule,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await alerts.removeRule(request.params.rule, actorOf(request));
      return reply.status(204).send(null);
    },
  );

  app.get(
    "/schemas/alert-rule.json",
    {
      config: { audience: "public" },
      schema: {
        summary: "The JSON Schema of an alert rule",
        tags: ["documents"],
        produces: ["application/schema+json"],
      },
    },
    async (_, reply) => reply.type("application/schema+json").send(JSON.stringify(ALERT_RULE_SCHEMA)),
  );
}
