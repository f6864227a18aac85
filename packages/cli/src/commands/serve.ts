import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { createCoordinator, tlsOf, type CoordinatorConfig } from "@tributary/coordinator";
import { asPopulationName, failure } from "@tributary/core";
import { Command, Option } from "commander";
import { integerBetween, list } from "../arguments.ts";
import { createSiteBuilder } from "../sites/site-builder.ts";
import { siteCache, SITES } from "../sites/sites.ts";
import { createShutdown } from "../start/shutdown.ts";
import { examples } from "../examples.ts";
import { addNotifyOptions, notifyOf, type NotifyOptions } from "../notify-options.ts";

interface ServeOptions extends NotifyOptions {
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
}

/** `tributary serve`: the coordinator with its dashboard, for real devices. */
export function serveCommand(): Command {
  return addNotifyOptions(new Command("serve"))
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
    .addHelpText(
      "after",
      examples(
        "tributary serve --data-dir /var/lib/tributary",
        "tributary serve --allow-origin https://app.example.org --allow-host fl.example.org",
        "tributary serve --host 0.0.0.0 --tls-cert fullchain.pem --tls-key privkey.pem",
        "tributary serve --host 0.0.0.0 --tls self-signed --open-enrolment default",
        "tributary serve --public-url https://fl.example.org --trusted-proxy 10.0.0.0/8",
        "tributary serve --notify-host hooks.slack.com --notify-secrets /etc/tributary/secrets",
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
        trustedProxies: options.trustedProxy,
        openEnrolment: options.openEnrolment,
        ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
        ...tlsOf(options),
        ...issuerOf(options),
        ...(await notifyOf(options)),
      });
      shutdown.onClose(() => coordinator.close());
      process.on("SIGHUP", () => void coordinator.reloadCertificate());
      console.log(
        `coordinator and dashboard on ${coordinator.url}/; operator token in ${options.dataDir}/operator-token; Ctrl-C stops`,
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
