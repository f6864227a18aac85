import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  addNotifyOptions,
  addOidcOptions,
  type CoordinatorConfig,
  createCoordinator,
  LOG_FORMATS,
  LOG_LEVELS,
  type LogFormat,
  type LogLevel,
  mlflowOfEnvironment,
  notifyOf,
  type NotifyOptions,
  oidcOf,
  type OidcOptions,
  tlsOf,
} from "@tributary/coordinator";
import { asPopulationName, failure } from "@tributary/core";
import { Command, Option } from "commander";
import { integerBetween, list } from "../arguments.ts";
import { createSiteBuilder } from "../sites/site-builder.ts";
import { siteCache, SITES } from "../sites/sites.ts";
import { createShutdown } from "../start/shutdown.ts";
import { examples } from "../examples.ts";

interface ServeOptions extends NotifyOptions, OidcOptions {
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  readonly allowOrigin: readonly string[];
  readonly allowHost: readonly string[];
  readonly population: string;
  readonly publicUrl?: string;
  readonly tls?: "self-signed";
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly trustedProxy: readonly string[];
  readonly openEnrolment: readonly string[];
  readonly issuerKey?: string;
  readonly issuerName?: string;
  readonly metadataDays: number;
  readonly aggregates: boolean;
  readonly healthSeconds: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly tensorboard?: string;
  readonly otlpEndpoint?: string;
  readonly traceRatio: number;
}

/** `tributary serve`: the coordinator with its dashboard, for real devices. */
export function serveCommand(): Command {
  return addOidcOptions(addNotifyOptions(new Command("serve")))
    .description("Run the coordinator and its dashboard, without a fleet or a demo.")
    .addOption(new Option("--port <n>", "port").default(7700).argParser(integerBetween(0, 65_535)))
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--data-dir <dir>", "SQLite file, blobs and keys", ".tributary")
    .option(
      "--allow-origin <[population=]origin>",
      "a web origin whose pages may be devices; may be repeated",
      list,
      [],
    )
    .option("--allow-host <name>", "a host name to answer for, beside loopback; may be repeated", list, [])
    .option("--population <name>", "population of the origins that name none", "default")
    .option("--public-url <url>", "the URL it is reached by, where that is not the address it listens on")
    .option("--tls-cert <file>", "certificate chain, PEM; read again when it changes, and on SIGHUP")
    .option("--tls-key <file>", "its key, PEM")
    .addOption(
      new Option("--tls <kind>", "a certificate for trials, whose fingerprint is printed").choices([
        "self-signed",
      ]),
    )
    .option(
      "--trusted-proxy <address>",
      "a proxy, or a block of them, whose X-Forwarded-* is believed; may be repeated",
      list,
      [],
    )
    .option(
      "--open-enrolment <population>",
      "anybody may enrol devices in it, within limits: for trials; may be repeated",
      list,
      [],
    )
    .option("--issuer-key <key>", "public key of the app's own issuer (tributary issue): none is made here")
    .option("--issuer-name <name>", "who that is, for the dashboard")
    .addOption(
      new Option(
        "--metadata-days <n>",
        "days that signed releases hold without this coordinator; so long can a newer one be hidden from a device",
      )
        .default(7)
        .argParser(integerBetween(1, 3_650)),
    )
    .option(
      "--no-aggregates",
      "do not keep the sum of each round with its version; tributary reproduce cannot take the step again then",
    )
    .addOption(
      new Option("--health-seconds <n>", "least time between two reports of a device on how a version fares")
        .default(10)
        .argParser(integerBetween(1, 3_600)),
    )
    .addOption(
      new Option(
        "--log-level <level>",
        "what is written to standard error; info has every request, and why it was refused",
      )
        .choices(LOG_LEVELS)
        .default("warn")
        .env("TRIBUTARY_LOG_LEVEL"),
    )
    .addOption(
      new Option("--log-format <format>", "one JSON object a line, or lines for people")
        .choices(LOG_FORMATS)
        .default("json")
        .env("TRIBUTARY_LOG_FORMAT"),
    )
    .option("--tensorboard <folder>", "write every task's rounds there for TensorBoard, as they end")
    .addOption(
      new Option("--otlp-endpoint <url>", "where traces go, by OTLP over HTTP: http://127.0.0.1:4318").env(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
      ),
    )
    .addOption(
      new Option("--trace-ratio <share>", "share of rounds and requests that are traced, 0 to 1")
        .argParser(Number)
        .default(1)
        .env("OTEL_TRACES_SAMPLER_ARG"),
    )
    .addHelpText(
      "after",
      examples(
        "tributary serve --data-dir /var/lib/tributary",
        "tributary serve --allow-origin https://app.example.org --allow-host fl.example.org",
        "tributary serve --log-format pretty --log-level info",
        "tributary serve --otlp-endpoint http://127.0.0.1:4318 --trace-ratio 0.1",
        "tributary serve --tensorboard runs",
        "MLFLOW_TRACKING_URI=http://127.0.0.1:5000 tributary serve",
        "tributary serve --host 0.0.0.0 --tls-cert fullchain.pem --tls-key privkey.pem",
        "tributary serve --host 0.0.0.0 --tls self-signed --open-enrolment default",
        "tributary serve --public-url https://fl.example.org --trusted-proxy 10.0.0.0/8",
        "tributary serve --notify-host hooks.slack.com --notify-secrets /etc/tributary/secrets",
        "tributary serve --public-url https://fl.example.org --oidc-issuer https://login.example.org/realms/ml --oidc-client-id tributary --oidc-secret-file /etc/tributary/oidc-secret --oidc-grant groups=ml-ops:operator --oidc-grant groups=ml-admins:admin",
      ),
    )
    .action(async (options: ServeOptions) => {
      const shutdown = createShutdown(() => console.log("stopping"));
      const dashboard = createSiteBuilder(SITES.dashboard, siteCache());
      shutdown.onClose(() => dashboard.close());
      const coordinator = await createCoordinator({
        host: options.host,
        port: options.port,
        dataDir: resolve(options.dataDir),
        allowOrigins: originsByPopulation(options),
        allowHosts: options.allowHost,
        dashboardDir: () => dashboard.request(),
        metadataDays: options.metadataDays,
        keepAggregates: options.aggregates,
        limits: { healthIntervalMs: 1_000 * options.healthSeconds },
        logLevel: options.logLevel,
        logFormat: options.logFormat,
        ...tracingOf(options),
        ...runsOf(options),
        trustedProxies: options.trustedProxy,
        openEnrolment: options.openEnrolment,
        ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
        ...tlsOf(options),
        ...issuerOf(options),
        ...(await notifyOf(options)),
        ...(await oidcOf(options, process.env)),
      });
      shutdown.onClose(() => coordinator.close());
      process.on("SIGHUP", () => void coordinator.reloadCertificate());
      console.log(
        `coordinator and dashboard on ${coordinator.url}/; operator token in ${options.dataDir}/operator-token; Ctrl-C stops`,
      );
      if (coordinator.setupUrl !== null)
        console.log(
          `the first account is made at ${coordinator.setupUrl}: once, within a day, by whoever has the link`,
        );
      for (const notice of coordinator.notices) console.log(notice);
      const rootKey = join(options.dataDir, "keys", "root.key.json");
      if (existsSync(rootKey)) {
        console.log(
          `${rootKey} signs for all other keys and is seldom needed: keep it elsewhere (tributary keys --help)`,
        );
      }
    });
}

/** Who is told of runs: TensorBoard's files, and the MLflow server that its own variables name. */
function runsOf({ tensorboard }: ServeOptions): Pick<CoordinatorConfig, "tensorboardDir" | "mlflow"> {
  const mlflow = mlflowOfEnvironment(process.env);
  return {
    ...(tensorboard === undefined ? {} : { tensorboardDir: tensorboard }),
    ...(mlflow === undefined ? {} : { mlflow }),
  };
}

function tracingOf({ otlpEndpoint, traceRatio }: ServeOptions): Pick<CoordinatorConfig, "tracing"> {
  return otlpEndpoint === undefined ? {} : { tracing: { endpoint: otlpEndpoint, ratio: traceRatio } };
}

/** @throws cli/usage for a name without a key */
function issuerOf({ issuerKey, issuerName }: ServeOptions): Pick<CoordinatorConfig, "issuer"> {
  if (issuerKey !== undefined) {
    return { issuer: { publicKey: issuerKey, ...(issuerName === undefined ? {} : { name: issuerName }) } };
  }
  if (issuerName === undefined) return {};
  throw failure("cli/usage", "--issuer-name: name the issuer's key too, with --issuer-key");
}

/** `https://app.example` for the population of `--population`, or `clinics=https://app.example`. */
export function originsByPopulation(
  options: Pick<ServeOptions, "allowOrigin" | "population">,
): Record<string, string[]> {
  const origins: Record<string, string[]> = {};
  for (const text of options.allowOrigin) {
    const [, population = options.population, origin = text] = /^([^=:]+)=(.*)$/.exec(text) ?? [];
    (origins[asPopulationName(population)] ??= []).push(origin);
  }
  return origins;
}
