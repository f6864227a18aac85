import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { decodeUtf8, failure, systemClock } from "@tributary/core";
import { LogHead, parseDocument, parseJson } from "@tributary/protocol";
import { Command } from "commander";
import { counted } from "../counted.ts";
import { list } from "../arguments.ts";
import type { IssuedLine } from "../issue/issuer.ts";
import { issuerKey, verifyLog, type LogAudit } from "../log/verify-log.ts";
import { dataDirOption, operatorApi, urlOption, type OperatorOptions } from "../operator.ts";
import { readInput } from "../read-input.ts";
import { trustedRoot } from "../trusted-root.ts";
import { examples } from "../examples.ts";

interface VerifyOptions extends OperatorOptions {
  readonly root?: string;
  readonly issuer: readonly string[];
  readonly issued?: string;
  readonly seen?: string;
  readonly json?: boolean;
}

const MAX_HEAD_BYTES = 1024;

/** `tributary log verify`: an audit of a coordinator's certificate log. */
export function logCommand(): Command {
  const command = new Command("log").description(
    "Audit the log of the certificates that devices were admitted with.",
  );
  command
    .command("verify")
    .description(
      "Read all certificates, hash the tree anew, and compare it with the head in the signed metadata, with an earlier audit, and with the issuer's own record.",
    )
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--root <file>", "trust root that the app pins (default: the one the coordinator shows)")
    .option(
      "--issuer <key>",
      "public key whose certificates may be there (default: the one the coordinator names); may be repeated",
      list,
      [],
    )
    .option(
      "--issued <file>",
      "the issuer's record (issued.jsonl): each certificate of the log has to be in it",
    )
    .option(
      "--seen <file>",
      "head of the last audit, which the log has to continue; written when all is well",
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary log verify"))
    .action(verify);
  return command;
}

async function verify(options: VerifyOptions): Promise<void> {
  const { url, seen, issued } = options;
  const api = operatorApi(options);
  const issuers = options.issuer.length === 0 ? [(await api.status()).issuer.publicKey] : options.issuer;
  const audit = await verifyLog({
    url,
    api,
    root: await trustedRoot(options),
    issuers: issuers.map(issuerKey),
    issued: issued === undefined ? undefined : issuedIn(issued, await readInput(issued)),
    seen: seen === undefined || !existsSync(seen) ? undefined : headIn(await readInput(seen)),
    clock: systemClock,
  });
  if (seen !== undefined) await writeFile(seen, `${JSON.stringify(audit.head)}\n`);
  if (options.json === true) return console.log(JSON.stringify(audit));
  print(audit);
}

function headIn(bytes: Uint8Array): LogHead {
  return parseDocument("log head", LogHead, parseJson("log head", bytes, MAX_HEAD_BYTES));
}

/** @throws cli/file naming the line that is no record of a certificate. */
function issuedIn(file: string, bytes: Uint8Array): ReadonlySet<string> {
  const lines = decodeUtf8(bytes).split("\n").filter(Boolean);
  return new Set(
    lines.map((line, i) => {
      try {
        const { certificate } = JSON.parse(line) as Partial<IssuedLine>;
        if (typeof certificate === "string") return certificate;
      } catch {
        // Said below.
      }
      throw failure("cli/file", `${file}: line ${i + 1} is no record of a certificate`, { detail: { file } });
    }),
  );
}

function print({ head, populations, devices }: LogAudit): void {
  console.log(
    `${counted(head.treeSize, "certificate")} of ${counted(devices, "device")}, root ${head.rootHash}: as signed`,
  );
  for (const [name, count] of Object.entries(populations)) console.log(`${name}  ${count}`);
}
