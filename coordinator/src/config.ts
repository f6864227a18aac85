import { isIP } from "node:net";
import { resolve } from "node:path";
import {
  builtInStrategies,
  createStrategyRegistry,
  type StrategyDefinition,
  type StrategyRegistry,
} from "@tributary/aggregation";
import {
  encodeHex,
  failure,
  isPopulationName,
  type Clock,
  type Logger,
  type PopulationName,
  type SecureRandom,
} from "@tributary/core";
import { checkOidc, type OidcConfig, type ResolvedOidc } from "./access/oidc/oidc-config.ts";
import type { ScryptCost } from "./access/passwords.ts";
import type { MlflowConfig } from "./runs/mlflow-client.ts";
import { MIN_HEALTH_INTERVAL_MS, readPublicKey } from "@tributary/protocol";
import { DEFAULT_RATES, type RateLimits } from "./rates.ts";

/** What a coordinator is started with. Everything but `dataDir` has a default. */
export interface CoordinatorConfig {
  /** The folder of the database, blobs, keys and the operator token; made when it is not there. */
  readonly dataDir: string;
  /** The address to listen on. @defaultValue "127.0.0.1" */
  readonly host?: string;
  /** 0 takes any free port. @defaultValue 7700 */
  readonly port?: number;
  /** Shown in the dashboard. @defaultValue "tributary" */
  readonly name?: string;
  /** Web origins whose pages may be devices, by population: `{ default: ["https://app.example"] }`. */
  readonly allowOrigins?: Readonly<Record<string, readonly string[]>>;
  /** Host names to answer for, beside loopback and `host`; with or without a port. */
  readonly allowHosts?: readonly string[];
  /** Where the built dashboard lies; a function is asked at each request, `undefined` means "not built yet". */
  readonly dashboardDir?: string | (() => string | undefined);
  /** Where `/demo/` leads. */
  readonly demoUrl?: string;
  /** The URL devices and the operator reach it by, when it is not the address it listens on. */
  readonly publicUrl?: string;
  /**
   * How it speaks TLS by itself: with the certificate in these files, which are read again when they change, or with one for trials that
   * it makes in its data directory and that nobody vouches for.
   *
   * @defaultValue none: on loopback, or behind a proxy that has it
   */
  readonly tls?: TlsConfig;
  /** Addresses, and blocks of them (`10.0.0.0/8`), of proxies: whom they say a request is from is believed. @defaultValue none */
  readonly trustedProxies?: readonly string[];
  /** Populations whose devices need no backend: a token is for whoever asks, within limits. For trials. @defaultValue none */
  readonly openEnrolment?: readonly string[];
  /** How many requests of one client are answered. */
  readonly rates?: Partial<RateLimits>;
  /**
   * Who issues device certificates, where it is not this coordinator: an app's backend with `tributary issue`, or any JOSE library. Then
   * no issuer's key is made here, and none is read.
   */
  readonly issuer?: IssuerConfig;
  /**
   * What whoever comes without anything to sign in by may: nothing, or read all that a viewer reads. For a trial on loopback.
   *
   * @defaultValue "none"
   */
  readonly anonymous?: AnonymousAccess;
  /** An OpenID provider that operators may sign in at, beside their accounts here. @defaultValue none */
  readonly oidc?: OidcConfig;
  /**
   * Days that the signed timestamp of the releases holds, 1 to 3650. So long a copy of them can be served without this coordinator, and
   * so long whoever controls the network can hide a newer release from a device.
   *
   * @defaultValue 7
   */
  readonly metadataDays?: number;
  /**
   * Whether what the server optimizer is given of each round, a sum over its cohort, is kept with the version as long as the version can be
   * downloaded: `tributary reproduce` takes the step again from it. It takes as much space as the weights.
   *
   * @defaultValue true
   */
  readonly keepAggregates?: boolean;
  /** Where alerts may be told. By default nowhere. */
  readonly notify?: NotifyConfig;
  /** @defaultValue "warn" */
  readonly logLevel?: LogLevel;
  /** One JSON object a line, or lines for people; both go to standard error. @defaultValue "json" */
  readonly logFormat?: LogFormat;
  /** A folder for TensorBoard, to which every task's rounds are written as they end. */
  readonly tensorboardDir?: string;
  /** An MLflow tracking server that every task is a run on. */
  readonly mlflow?: MlflowConfig;
  /** Where traces go; without it none are made. */
  readonly tracing?: TracingConfig;
  readonly limits?: Partial<CoordinatorLimits>;
  /** Strategies of one's own, which tasks may name beside the built-in ones. */
  readonly strategies?: readonly StrategyDefinition[];
  /** Seams, for tests. */
  readonly env?: {
    readonly clock?: Clock;
    readonly random?: SecureRandom;
    readonly log?: Logger;
    readonly passwordCost?: ScryptCost;
  };
}

/** Files with a certificate and those between it and a root, and with its key, both PEM; or a certificate for trials. */
export type TlsConfig = { readonly certFile: string; readonly keyFile: string } | "self-signed";
/** Where notifications may go, and what their channels may read. */
export interface NotifyConfig {
  /** Hosts that webhooks and mail may go to: `hooks.slack.com`, `*.example.org`, `smtp.example.org:587`; `*` is every host. @defaultValue none */
  readonly allowHosts?: readonly string[];
  /** Whether such a host may be on loopback or in a private network. @defaultValue false */
  readonly allowPrivate?: boolean;
  /** Folder whose files channels may name as their secrets. @defaultValue none */
  readonly secretsFolder?: string;
  /** Certificates (PEM) that these hosts are believed by beside the usual ones: of an authority of one's own. */
  readonly ca?: string;
}

/** An issuer outside the coordinator. */
export interface IssuerConfig {
  /** Ed25519 public key: 64 hexadecimal digits, or the 43 characters of a JWK's `x`. */
  readonly publicKey: string;
  /** Shown in the dashboard: who vouches for membership, 1 to 64 characters. @defaultValue "the app's backend" */
  readonly name?: string;
}

export const ANONYMOUS_ACCESS = ["none", "viewer"] as const;
export type AnonymousAccess = (typeof ANONYMOUS_ACCESS)[number];

/** Traces for a collector that speaks OTLP over HTTP. What else there is to say, OpenTelemetry's own variables say (`OTEL_*`). */
export interface TracingConfig {
  /** Its base URL: `http://127.0.0.1:4318`. */
  readonly endpoint: string;
  /** Share of rounds, requests and connections that are traced, 0 to 1. @defaultValue 1 */
  readonly ratio?: number;
}

export const LOG_LEVELS = ["silent", "error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_FORMATS = ["json", "pretty"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Bounds of the HTTP side; those of the protocol are its own `LIMITS`. */
export interface CoordinatorLimits {
  /** JSON bodies. */
  readonly maxJsonBytes: number;
  /** A published ONNX file: it is held in memory while its graphs are built. */
  readonly maxModelBytes: number;
  /** A blob that an operator uploads (a data set). */
  readonly maxBlobBytes: number;
  /** Clients of the event stream at once. */
  readonly maxEventStreams: number;
  /** What may wait to be sent to one event stream before it is cut (it resumes). */
  readonly maxEventBufferBytes: number;
  readonly eventHeartbeatMs: number;
  /** Events kept for streams that resume. */
  readonly keptEvents: number;
  /** How long a request's headers may take. */
  readonly headersTimeoutMs: number;
  /** How long a JSON body may take. */
  readonly jsonTimeoutMs: number;
  /** How long a whole request may take, an upload included. */
  readonly requestTimeoutMs: number;
  /** How long a connection may stand still, also while an answer waits to be read. Event streams have their heartbeat. */
  readonly stalledTimeoutMs: number;
  /** Between two reports of a device on how one version fares: nearer ones are refused. */
  readonly healthIntervalMs: number;
  /** A session of an operator's browser that is not used for so long is over. */
  readonly sessionIdleMs: number;
  /** It is over then even if it is used. */
  readonly sessionLifetimeMs: number;
  /** Likewise one that an identity provider vouched for: whoever is removed there keeps it so long. */
  readonly providerSessionLifetimeMs: number;
}

export const DEFAULT_LIMITS: CoordinatorLimits = Object.freeze({
  maxJsonBytes: 64 * 1024,
  maxModelBytes: 256 * 1024 * 1024,
  maxBlobBytes: 1024 * 1024 * 1024,
  maxEventStreams: 512,
  maxEventBufferBytes: 1024 * 1024,
  eventHeartbeatMs: 15_000,
  keptEvents: 10_000,
  headersTimeoutMs: 10_000,
  jsonTimeoutMs: 20_000,
  requestTimeoutMs: 300_000,
  stalledTimeoutMs: 120_000,
  healthIntervalMs: MIN_HEALTH_INTERVAL_MS,
  sessionIdleMs: 8 * 3_600_000,
  sessionLifetimeMs: 7 * 86_400_000,
  providerSessionLifetimeMs: 12 * 3_600_000,
});

/** A checked configuration, defaults filled in. */
export interface ResolvedConfig {
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly allowOrigins: ReadonlyMap<string, readonly string[]>;
  readonly allowHosts: readonly string[];
  readonly dashboardDir: () => string | undefined;
  readonly demoUrl: string | undefined;
  readonly publicUrl: string | undefined;
  readonly tls: TlsConfig | undefined;
  readonly trustedProxies: readonly string[];
  readonly openEnrolment: readonly PopulationName[];
  readonly rates: RateLimits;
  /** Key in hexadecimal. */
  readonly issuer: Required<IssuerConfig> | undefined;
  readonly anonymous: AnonymousAccess;
  readonly oidc: ResolvedOidc | undefined;
  readonly metadataDays: number;
  readonly keepAggregates: boolean;
  readonly notify: Required<Pick<NotifyConfig, "allowHosts" | "allowPrivate">> & {
    readonly secretsFolder: string | null;
    readonly ca: string | undefined;
  };
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly tensorboardDir: string | undefined;
  readonly mlflow: MlflowConfig | undefined;
  readonly tracing: TracingConfig | undefined;
  readonly limits: CoordinatorLimits;
  readonly strategies: StrategyRegistry;
}

/** @throws `coordinator/invalid-config`, naming the field */
export function resolveConfig(config: CoordinatorConfig): ResolvedConfig {
  const {
    host = "127.0.0.1",
    port = 7700,
    name = "tributary",
    logLevel = "warn",
    logFormat = "json",
  } = config;
  if (config.dataDir === "") throw invalid("dataDir", "a folder", config.dataDir);
  if (host === "") throw invalid("host", "an address", host);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw invalid("port", "an integer of 0 to 65535", port);
  const { metadataDays = 7, anonymous = "none" } = config;
  if (!ANONYMOUS_ACCESS.includes(anonymous))
    throw invalid("anonymous", ANONYMOUS_ACCESS.join(" or "), anonymous);
  if (!Number.isInteger(metadataDays) || metadataDays < 1 || metadataDays > 3_650)
    throw invalid("metadataDays", "an integer of 1 to 3650", metadataDays);
  if (!LOG_LEVELS.includes(logLevel)) throw invalid("logLevel", LOG_LEVELS.join(", "), logLevel);
  if (!LOG_FORMATS.includes(logFormat)) throw invalid("logFormat", LOG_FORMATS.join(", "), logFormat);
  const { dashboardDir, demoUrl, publicUrl } = config;
  if (demoUrl !== undefined) parseHttpUrl("demoUrl", demoUrl);
  return {
    dataDir: resolve(config.dataDir),
    host,
    port,
    name,
    allowOrigins: new Map(
      Object.entries(config.allowOrigins ?? {}).map(([population, origins]) => {
        if (!isPopulationName(population)) throw invalid("allowOrigins", "names of populations", population);
        return [population, origins.map(checkOrigin)] as const;
      }),
    ),
    allowHosts: (config.allowHosts ?? []).map(checkHost),
    dashboardDir: typeof dashboardDir === "function" ? dashboardDir : () => dashboardDir,
    demoUrl,
    publicUrl: publicUrl === undefined ? undefined : parseHttpUrl("publicUrl", publicUrl).origin,
    tls: config.tls === undefined ? undefined : checkTls(config.tls),
    trustedProxies: (config.trustedProxies ?? []).map(checkProxy),
    openEnrolment: checkOpenEnrolment(config),
    rates: checkCounts("rates", { ...DEFAULT_RATES, ...config.rates }),
    issuer: config.issuer === undefined ? undefined : checkIssuer(config.issuer),
    anonymous,
    oidc: config.oidc === undefined ? undefined : checkOidc(config.oidc),
    metadataDays,
    keepAggregates: config.keepAggregates ?? true,
    notify: checkNotify(config.notify ?? {}),
    logLevel,
    logFormat,
    tensorboardDir: config.tensorboardDir === undefined ? undefined : resolve(config.tensorboardDir),
    mlflow: config.mlflow === undefined ? undefined : checkMlflow(config.mlflow),
    tracing: config.tracing === undefined ? undefined : checkTracing(config.tracing),
    limits: checkCounts("limits", { ...DEFAULT_LIMITS, ...config.limits }),
    strategies: createStrategyRegistry([...builtInStrategies, ...(config.strategies ?? [])]),
  };
}

function invalid(field: string, expected: string, got: unknown): Error {
  return failure(
    "coordinator/invalid-config",
    `coordinator: ${field}: expected ${expected}, got ${JSON.stringify(got)}`,
    { detail: { field } },
  );
}

function parseHttpUrl(field: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") throw invalid(field, "an http(s) URL", text);
  return url;
}

/** An origin as browsers send it; `*` is every origin. */
function checkOrigin(text: string): string {
  if (text === "*") return text;
  const { origin, href } = parseHttpUrl("allowOrigins", text);
  if (href !== `${origin}/`)
    throw invalid("allowOrigins", "origins without a path (https://app.example)", text);
  return origin;
}

function checkHost(text: string): string {
  const host = text.toLowerCase();
  if (!URL.canParse(`http://${host}`) || /[/@?#\s]/.test(host))
    throw invalid("allowHosts", "host names (fl.example, fl.example:8443)", text);
  return host;
}

function checkIssuer({ publicKey, name = "the app's backend" }: IssuerConfig): Required<IssuerConfig> {
  const expected = "an Ed25519 public key in 64 hexadecimal digits or 43 characters of base64url";
  if (name === "" || name.length > 64) throw invalid("issuer.name", "1 to 64 characters", name);
  const key = readPublicKey(publicKey);
  if (key === undefined) throw invalid("issuer.publicKey", expected, publicKey);
  return { publicKey: encodeHex(key), name };
}

function checkMlflow(mlflow: MlflowConfig): MlflowConfig {
  const { trackingUri, token, username } = mlflow;
  const { username: inUri, password } = parseHttpUrl("mlflow.trackingUri", trackingUri);
  if (inUri !== "" || password !== "")
    throw invalid(
      "mlflow.trackingUri",
      "a URL without a user (MLFLOW_TRACKING_USERNAME says who)",
      "(hidden)",
    );
  if (token !== undefined && username !== undefined)
    throw invalid("mlflow", "a token, or a user and a password", "both");
  return mlflow;
}

function checkTracing(tracing: TracingConfig): TracingConfig {
  const { endpoint, ratio = 1 } = tracing;
  parseHttpUrl("tracing.endpoint", endpoint);
  if (!(ratio >= 0 && ratio <= 1)) throw invalid("tracing.ratio", "a number of 0 to 1", ratio);
  return tracing;
}

function checkTls(tls: TlsConfig): TlsConfig {
  if (tls === "self-signed") return tls;
  const { certFile, keyFile } = tls;
  if (certFile === "" || keyFile === "") throw invalid("tls", "files of a certificate and its key", tls);
  return { certFile: resolve(certFile), keyFile: resolve(keyFile) };
}

function checkProxy(text: string): string {
  const [address = "", bits, ...more] = text.split("/");
  const most = isIP(address) === 6 ? 128 : 32;
  const good = isIP(address) > 0 && more.length === 0 && (bits === undefined || isBits(bits, most));
  if (!good) throw invalid("trustedProxies", "addresses or blocks of them (10.0.0.5, 10.0.0.0/8)", text);
  return text;
}

/** A block of every address would let anybody say who they are. */
function isBits(text: string, most: number): boolean {
  return /^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= most;
}

function checkOpenEnrolment({ openEnrolment = [], issuer }: CoordinatorConfig): readonly PopulationName[] {
  if (openEnrolment.length > 0 && issuer !== undefined)
    throw invalid("openEnrolment", "none where the app's own issuer gives certificates", openEnrolment);
  return openEnrolment.map((population) => {
    if (!isPopulationName(population)) throw invalid("openEnrolment", "names of populations", population);
    return population;
  });
}

function checkCounts<Counts extends CoordinatorLimits | RateLimits>(field: string, counts: Counts): Counts {
  for (const [name, value] of Object.entries(counts) as [string, number][])
    if (!Number.isSafeInteger(value) || value < 1)
      throw invalid(`${field}.${name}`, "an integer of at least 1", value);
  return Object.freeze(counts);
}

function checkNotify({
  allowHosts = [],
  allowPrivate = false,
  secretsFolder,
  ca,
}: NotifyConfig): ResolvedConfig["notify"] {
  const wrong = allowHosts.find((host) => !/^(\*|(\*\.)?[A-Za-z0-9.:-]{1,253})$/.test(host));
  if (wrong !== undefined)
    throw invalid("notify.allowHosts", "host names (hooks.slack.com, *.example.org, *)", wrong);
  return {
    allowHosts,
    allowPrivate,
    secretsFolder: secretsFolder === undefined ? null : resolve(secretsFolder),
    ca,
  };
}
