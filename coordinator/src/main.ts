#!/usr/bin/env -S node --max-semi-space-size=4
import { failure, TributaryError } from "@tributary/core";
import { Command, InvalidArgumentError, Option } from "commander";
import { addOidcOptions, oidcOf, type OidcOptions } from "./access/oidc/oidc-options.ts";
import {
  ANONYMOUS_ACCESS,
  LOG_FORMATS,
  LOG_LEVELS,
  type AnonymousAccess,
  type CoordinatorConfig,
  type LogFormat,
  type LogLevel,
} from "./config.ts";
import { createCoordinator } from "./coordinator.ts";
import { addNotifyOptions, notifyOf, type NotifyOptions } from "./notify/notify-options.ts";
import { mlflowOfEnvironment } from "./runs/mlflow-client.ts";
import { tlsOf } from "./tls/tls-options.ts";
import { VERSION } from "./version.ts";

// The coordinator as a process of its own. Prints one JSON line when it listens; its log goes to standard error.

interface Arguments extends OidcOptions, NotifyOptions {
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  readonly name?: string;
  readonly allowOrigin: Readonly<Record<string, string[]>>;
  readonly allowHost: readonly string[];
  readonly dashboardDir?: string;
  readonly demoUrl?: string;
  readonly publicUrl?: string;
  readonly tls?: "self-signed";
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly trustedProxy: readonly string[];
  readonly openEnrolment: readonly string[];
  readonly issuerKey?: string;
  readonly issuerName?: string;
  readonly anonymous: AnonymousAccess;
  readonly healthSeconds: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly tensorboard?: string;
  readonly otlpEndpoint?: string;
  readonly traceRatio: number;
}

function port(text: string): number {
  const value = Number(text);
  if (!/^\d{1,5}$/.test(text) || value > 65_535) throw new InvalidArgumentError("expected 0 to 65535");
  return value;
}

function seconds(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text) || Number(text) > 3_600)
    throw new InvalidArgumentError("expected 1 to 3600");
  return Number(text);
}

/** `https://app.example` for the population "default", or `population=https://app.example`. */
function origin(text: string, before: Record<string, string[]>): Record<string, string[]> {
  const [, population = "default", value = text] = /^([a-z0-9][a-z0-9-]{0,62})=(.*)$/.exec(text) ?? [];
  return { ...before, [population]: [...(before[population] ?? []), value] };
}

const command = addOidcOptions(addNotifyOptions(new Command("tributary-coordinator")))
  .description("Run a coordinator: registry, rounds, releases and the gateway for devices.")
  .version(VERSION)
  .addOption(new Option("--port <port>", "port to listen on; 0 takes any").argParser(port).default(7700))
  .option("--host <address>", "address to listen on", "127.0.0.1")
  .option("--data-dir <folder>", "database, blobs, keys and operator token", ".tributary")
  .option("--name <name>", "shown in the dashboard")
  .addOption(
    new Option("--allow-origin <[population=]origin>", "web origin whose pages may be devices; repeatable")
      .argParser(origin)
      .default({}, "none"),
  )
  .addOption(
    new Option("--allow-host <name>", "host name to answer for, beside loopback; repeatable")
      .argParser((text: string, before: readonly string[]) => [...before, text])
      .default([], "none"),
  )
  .option("--dashboard-dir <folder>", "the built dashboard")
  .option("--demo-url <url>", "where /demo/ leads")
  .option("--public-url <url>", "the URL it is reached by, behind a proxy")
  .option("--tls-cert <file>", "certificate chain, PEM; read again when it changes, and on SIGHUP")
  .option("--tls-key <file>", "its key, PEM")
  .addOption(
    new Option("--tls <kind>", "a certificate for trials, whose fingerprint is printed").choices([
      "self-signed",
    ]),
  )
  .addOption(
    new Option(
      "--trusted-proxy <address>",
      "a proxy, or a block of them, whose X-Forwarded-* is believed; repeatable",
    )
      .argParser((text: string, before: readonly string[]) => [...before, text])
      .default([], "none"),
  )
  .addOption(
    new Option("--open-enrolment <population>", "anybody may enrol devices in it, for trials; repeatable")
      .argParser((text: string, before: readonly string[]) => [...before, text])
      .default([], "none"),
  )
  .option("--issuer-key <key>", "public key of the app's own issuer: this coordinator then issues nothing")
  .option("--issuer-name <name>", "who that is, for the dashboard")
  .addOption(
    new Option("--anonymous <role>", "what may be read without signing in; viewer: everything, for a trial")
      .choices(ANONYMOUS_ACCESS)
      .default("none"),
  )
  .addOption(
    new Option("--health-seconds <n>", "least time between two reports of a device on how a version fares")
      .argParser(seconds)
      .default(10),
  )
  .addOption(
    new Option("--log-level <level>", "what is logged")
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
  .allowExcessArguments(false)
  .action(
    async ({
      allowOrigin,
      allowHost,
      issuerKey,
      issuerName,
      healthSeconds,
      tensorboard,
      otlpEndpoint,
      traceRatio,
      tls,
      tlsCert,
      tlsKey,
      trustedProxy,
      ...rest
    }: Arguments) => {
      if (issuerName !== undefined && issuerKey === undefined) {
        throw failure(
          "coordinator/invalid-config",
          "coordinator: --issuer-name: name the issuer's key too, with --issuer-key",
        );
      }
      const coordinator = await createCoordinator({
        ...rest,
        allowOrigins: allowOrigin,
        allowHosts: allowHost,
        limits: { healthIntervalMs: 1_000 * healthSeconds },
        ...(await notifyOf(rest)),
        ...runsOf(tensorboard),
        ...(otlpEndpoint === undefined ? {} : { tracing: { endpoint: otlpEndpoint, ratio: traceRatio } }),
        trustedProxies: trustedProxy,
        ...(await oidcOf(rest, process.env)),
        ...tlsOf({ tls, tlsCert, tlsKey }),
        ...(issuerKey === undefined
          ? {}
          : { issuer: { publicKey: issuerKey, ...(issuerName === undefined ? {} : { name: issuerName }) } }),
      });
      stopOnSignal(() => coordinator.close());
      process.on("SIGHUP", () => void coordinator.reloadCertificate());
      const { url, port: listening, tlsFingerprint, notices } = coordinator;
      for (const notice of notices) console.error(notice);
      if (coordinator.setupUrl !== null)
        console.log(JSON.stringify({ event: "setup", url: coordinator.setupUrl, validHours: 24 }));
      console.log(
        JSON.stringify({ event: "listening", url, port: listening, pid: process.pid, tlsFingerprint }),
      );
    },
  );

/** Who is told of runs: TensorBoard's files, and the MLflow server that its own variables name. */
function runsOf(tensorboardDir: string | undefined): Pick<CoordinatorConfig, "tensorboardDir" | "mlflow"> {
  const mlflow = mlflowOfEnvironment(process.env);
  return {
    ...(tensorboardDir === undefined ? {} : { tensorboardDir }),
    ...(mlflow === undefined ? {} : { mlflow }),
  };
}

/** The first signal closes, the second one ends at once. */
function stopOnSignal(close: () => Promise<void>): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(signal === "SIGINT" ? 130 : 143);
    stopping = true;
    close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

function fail(error: unknown): never {
  // What an operator can mend is one line; anything else is a fault of ours and shows where it was.
  if (TributaryError.is(error)) console.error(`${error.message} [${error.code}]`);
  else console.error(error);
  process.exit(1);
}

try {
  await command.parseAsync();
} catch (error) {
  fail(error);
}
