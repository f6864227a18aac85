import { asPopulationName, failure } from "@tributary/core";
import { type Command, InvalidArgumentError, Option } from "commander";
import { addOidcOptions, oidcOf, type OidcOptions } from "./access/oidc/oidc-options.ts";
import { type CoordinatorConfig, LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "./config.ts";
import { addNotifyOptions, notifyOf, type NotifyOptions } from "./notify/notify-options.ts";
import { mlflowOfEnvironment } from "./runs/mlflow-client.ts";
import { tlsOf } from "./tls/tls-options.ts";

/** What a coordinator is started with from a command line: `tributary serve`, and the process of its own. */
export interface ProcessOptions extends NotifyOptions, OidcOptions {
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  readonly name?: string;
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

export function addProcessOptions(command: Command): Command {
  return addOidcOptions(addNotifyOptions(command))
    .addOption(
      new Option("--port <n>", "port to listen on; 0 takes any").default(7700).argParser(whole(0, 65_535)),
    )
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--data-dir <dir>", "SQLite file, blobs, keys and operator token", ".tributary")
    .option("--name <name>", "shown in the dashboard")
    .option(
      "--allow-origin <[population=]origin>",
      "a web origin whose pages may be devices; may be repeated",
      several,
      [],
    )
    .option("--allow-host <name>", "a host name to answer for, beside loopback; may be repeated", several, [])
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
      several,
      [],
    )
    .option(
      "--open-enrolment <population>",
      "anybody may enrol devices in it, within limits: for trials; may be repeated",
      several,
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
        .argParser(whole(1, 3_650)),
    )
    .option(
      "--no-aggregates",
      "do not keep the sum of each round with its version; tributary reproduce cannot take the step again then",
    )
    .addOption(
      new Option("--health-seconds <n>", "least time between two reports of a device on how a version fares")
        .default(10)
        .argParser(whole(1, 3_600)),
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
    );
}

/**
 * What the options, and the variables of the environment beside them, come to.
 *
 * @throws coordinator/invalid-config and cli/usage for what does not fit together, cli/file for a file that cannot be read
 */
export async function processConfig(
  options: ProcessOptions,
  environment: NodeJS.ProcessEnv,
): Promise<CoordinatorConfig> {
  const { name, publicUrl, tensorboard, otlpEndpoint } = options;
  const mlflow = mlflowOfEnvironment(environment);
  return {
    host: options.host,
    port: options.port,
    dataDir: options.dataDir,
    ...(name === undefined ? {} : { name }),
    allowOrigins: originsByPopulation(options),
    allowHosts: options.allowHost,
    metadataDays: options.metadataDays,
    keepAggregates: options.aggregates,
    limits: { healthIntervalMs: 1_000 * options.healthSeconds },
    logLevel: options.logLevel,
    logFormat: options.logFormat,
    trustedProxies: options.trustedProxy,
    openEnrolment: options.openEnrolment,
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(otlpEndpoint === undefined ? {} : { tracing: { endpoint: otlpEndpoint, ratio: options.traceRatio } }),
    ...(tensorboard === undefined ? {} : { tensorboardDir: tensorboard }),
    ...(mlflow === undefined ? {} : { mlflow }),
    ...tlsOf(options),
    ...issuerOf(options),
    ...(await notifyOf(options)),
    ...(await oidcOf(options, environment)),
  };
}

/** `https://app.example` for the population of `--population`, or `clinics=https://app.example`. */
export function originsByPopulation(
  options: Pick<ProcessOptions, "allowOrigin" | "population">,
): Record<string, string[]> {
  const origins: Record<string, string[]> = {};
  for (const text of options.allowOrigin) {
    const [, population = options.population, origin = text] = /^([^=:]+)=(.*)$/.exec(text) ?? [];
    (origins[asPopulationName(population)] ??= []).push(origin);
  }
  return origins;
}

function issuerOf({ issuerKey, issuerName }: ProcessOptions): Pick<CoordinatorConfig, "issuer"> {
  if (issuerKey !== undefined)
    return { issuer: { publicKey: issuerKey, ...(issuerName === undefined ? {} : { name: issuerName }) } };
  if (issuerName === undefined) return {};
  throw failure("cli/usage", "--issuer-name: name the issuer's key too, with --issuer-key");
}

function whole(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,9}$/.test(text) || value < low || value > high)
      throw new InvalidArgumentError(`expected ${low} to ${high}, got "${text.slice(0, 40)}"`);
    return value;
  };
}

/** Each time it is given, and between commas. */
function several(text: string, before: readonly string[]): string[] {
  const items = text.split(",").map((item) => item.trim());
  return [...before, ...items.filter((item) => item !== "")];
}
