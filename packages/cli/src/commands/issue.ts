import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createIssuerKey, readIssuerKey } from "@tributary/coordinator";
import {
  asPopulationName,
  decodeBase64url,
  encodeHex,
  failure,
  systemClock,
  systemRandom,
} from "@tributary/core";
import { LIMITS } from "@tributary/protocol";
import { Command, InvalidArgumentError, Option } from "commander";
import { examples } from "../examples.ts";
import { integerBetween, list } from "../arguments.ts";
import { createIssuerServer } from "../issue/issuer-server.ts";
import { ISSUED_FILE, openIssuer, type CertificateIssuer } from "../issue/issuer.ts";
import { createShutdown } from "../start/shutdown.ts";

interface KeyOptions {
  readonly keyDir: string;
}

interface IssueOptions extends KeyOptions {
  readonly population: readonly string[];
  readonly hours: number;
}

interface CertificateOptions extends KeyOptions {
  readonly population: string;
  readonly hours: number;
  readonly publicKey: string;
  readonly subject?: string;
}

interface ServeOptions extends IssueOptions {
  readonly port: number;
  readonly host: string;
  readonly secretFile?: string;
  readonly perMinute: number;
}

const MAX_HOURS = LIMITS.maxCertificateLifetimeMs / 3_600_000;
const MIN_SECRET_LENGTH = 16;
const SECRET_VARIABLE = "TRIBUTARY_ISSUER_SECRET";

/** `tributary issue key|public-key|certificate|serve`: the enrolment issuer, outside of the coordinator. */
export function issueCommand(): Command {
  const command = new Command("issue").description(
    "Be the enrolment issuer of an app: vouch for its devices with a key that the coordinator does not have.",
  );

  command
    .command("key")
    .description("Make the issuer's key and print its public half, which the coordinator is started with.")
    .addOption(keyDirOption())
    .addHelpText("after", examples("tributary issue key --key-dir /var/lib/issuer"))
    .action(async ({ keyDir }: KeyOptions) => {
      console.log(encodeHex((await createIssuerKey(resolve(keyDir))).publicKey));
    });

  command
    .command("public-key")
    .description("Print the public half of the issuer's key, in hexadecimal.")
    .addOption(keyDirOption())
    .addHelpText("after", examples("tributary issue public-key --key-dir /var/lib/issuer"))
    .action(async ({ keyDir }: KeyOptions) => {
      console.log(encodeHex((await readIssuerKey(resolve(keyDir))).publicKey));
    });

  command
    .command("certificate")
    .description("Issue one certificate and print it; the device takes it as its token.")
    .addOption(keyDirOption())
    .addOption(
      new Option("--public-key <key>", "the device's key, base64url: what it shows as its publicKey")
        .argParser(publicKey)
        .makeOptionMandatory(),
    )
    .option("--population <name>", "population the device joins", "default")
    .addOption(hoursOption())
    .option("--subject <text>", "for whom it is; recorded, not interpreted")
    .addHelpText(
      "after",
      examples(
        "tributary issue certificate --public-key 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo --population homes",
      ),
    )
    .action(async ({ publicKey: key, population, subject, ...options }: CertificateOptions) => {
      const issuer = await open({ ...options, population: [population] });
      console.log(
        await issuer.issue({
          population: asPopulationName(population),
          publicKey: key,
          ...(subject === undefined ? {} : { subject }),
        }),
      );
    });

  command
    .command("serve")
    .description(
      "Issue over HTTP, for the app's backend: POST /v1/certificates { population, publicKey } under a secret.",
    )
    .addOption(keyDirOption())
    .addOption(new Option("--port <n>", "port").default(7710).argParser(integerBetween(0, 65_535)))
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--population <name>", "population it issues for (default: default); may be repeated", list, [])
    .addOption(hoursOption())
    .option("--secret-file <file>", `file with the backend's secret (or ${SECRET_VARIABLE})`)
    .addOption(
      new Option("--per-minute <n>", "certificates a minute, at most")
        .default(600)
        .argParser(integerBetween(1, 1_000_000)),
    )
    .addHelpText("after", examples("tributary issue serve --population homes --secret-file issuer-secret"))
    .action(serve);

  return command;
}

async function serve(options: ServeOptions): Promise<void> {
  const shutdown = createShutdown(() => console.log("stopping"));
  const issuer = await open(options);
  const server = await createIssuerServer({
    ...options,
    issuer,
    secret: await secretOf(options),
    clock: systemClock,
  });
  shutdown.onClose(() => server.close());
  console.log(
    `issuer ${encodeHex(issuer.publicKey)} on ${server.url}; what it issues is recorded in ${join(options.keyDir, ISSUED_FILE)}; Ctrl-C stops`,
  );
}

function open({ keyDir, population, hours }: IssueOptions): Promise<CertificateIssuer> {
  const names = population.length === 0 ? ["default"] : population;
  return openIssuer({
    keyDir: resolve(keyDir),
    populations: names.map(asPopulationName),
    lifetimeMs: hours * 3_600_000,
    clock: systemClock,
    random: systemRandom,
  });
}

async function secretOf({ secretFile }: Pick<ServeOptions, "secretFile">): Promise<string> {
  const secret =
    secretFile === undefined ? process.env[SECRET_VARIABLE] : await readSecret(resolve(secretFile));
  if (secret !== undefined && secret.length >= MIN_SECRET_LENGTH && !/\s/.test(secret)) return secret;
  throw failure(
    "cli/usage",
    `issue serve: a secret of at least ${MIN_SECRET_LENGTH} characters without spaces is needed: --secret-file, or ${SECRET_VARIABLE}`,
  );
}

async function readSecret(file: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (cause) {
    throw failure("cli/file", `--secret-file: ${file} cannot be read: ${(cause as Error).message}`, {
      cause,
      detail: { file },
    });
  }
}

function keyDirOption(): Option {
  return new Option("--key-dir <dir>", "where the issuer's key and record lie").default(".tributary-issuer");
}

function hoursOption(): Option {
  return new Option("--hours <n>", "how long a certificate is good for")
    .default(MAX_HOURS)
    .argParser(integerBetween(1, MAX_HOURS));
}

function publicKey(text: string): string {
  try {
    if (decodeBase64url(text).length === 32) return text;
  } catch {
    // Said below.
  }
  throw new InvalidArgumentError(`Expected 43 characters of base64url, got "${text}".`);
}
