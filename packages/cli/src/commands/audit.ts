import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { AuditFilter } from "@tributary/api-client";
import { failure, systemClock } from "@tributary/core";
import { AUDIT_ACTIONS, AuditHead, parseDocument, parseJson } from "@tributary/protocol";
import { Command, Option } from "commander";
import { counted } from "../counted.ts";
import { integerBetween } from "../arguments.ts";
import { metadataIn, noting, readAuditFile, writeAuditFile } from "../audit/audit-file.ts";
import { recordLines, type ShownRecord } from "../audit/record-lines.ts";
import { servedRecords } from "../audit/served-records.ts";
import { signedAuditHead, verifyAudit, type AuditResult } from "../audit/verify-audit.ts";
import { metadataOf } from "../log/signed-timestamp.ts";
import { dataDirOption, operatorApi, urlOption, type OperatorOptions } from "../operator.ts";
import { pageOf, printNext, withNumberedPaging, type NumberedPaging } from "../paging.ts";
import { readInput } from "../read-input.ts";
import { givenRoot, MAX_ROOT_BYTES, trustedRoot } from "../trusted-root.ts";
import { examples } from "../examples.ts";

interface ListOptions
  extends
    OperatorOptions,
    NumberedPaging,
    Omit<AuditFilter, "since" | "until" | "limit" | "cursor" | "version"> {
  readonly modelVersion?: number;
  readonly since?: string;
  readonly until?: string;
  readonly json?: boolean;
}

interface VerifyOptions extends OperatorOptions {
  readonly root?: string;
  readonly file?: string;
  readonly seen?: string;
  readonly json?: boolean;
}

interface ExportOptions extends OperatorOptions {
  readonly root?: string;
  readonly out: string;
}

/** What `verify` exits with where a record does not fit; 1 is that it could not tell. */
export const NOT_WHOLE = 6;

const MAX_HEAD_BYTES = 1_024;

/** `tributary audit list|verify|export`. */
export function auditCommand(): Command {
  const command = new Command("audit").description(
    "Show, verify and export the log of what operators did and what the coordinator decided by itself.",
  );
  const withOperator = (sub: Command): Command => sub.addOption(urlOption()).addOption(dataDirOption());

  withNumberedPaging(withOperator(command.command("list")), { what: "records", most: 500, standard: 50 })
    .description("Show records of which all that is given holds, newest first.")
    .addOption(new Option("--actor <kind>", "who did it").choices(["operator", "coordinator", "device"]))
    .addOption(new Option("--action <name>", "what was done").choices(AUDIT_ACTIONS))
    .option("--model <name>", "of this model")
    .addOption(new Option("--model-version <n>", "of this version").argParser(integerBetween(1, 2 ** 32 - 1)))
    .option("--task <name>", "of this task")
    .option("--round <id>", "of this round")
    .option("--population <name>", "of this population")
    .option("--device <id>", "of this device: its id, or its name in the log")
    .option("--role <name>", "of this role of the signed metadata")
    .option("--channel <name>", "of this channel")
    .option("--alias <name>", "of this alias")
    .option("--rollout <id>", "of this rollout")
    .option("--since <time>", "from this time on: 2026-03-01, or 2026-03-01T12:00Z")
    .option("--until <time>", "before this time")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  tributary audit list --model digits --action model.release
  tributary audit list --actor operator --since 2026-03-01`,
    )
    .action(listRecords);

  withOperator(command.command("verify"))
    .description(
      "Follow the log from its first record: each has the hash of the one before, and the head is the one in the signed metadata. Prints the first record that does not fit.",
    )
    .option("--root <file>", "trust root that the app pins (default: the one that is shown, with a warning)")
    .option("--file <file>", "verify what `tributary audit export` wrote, without a coordinator")
    .option(
      "--seen <file>",
      "head of the last audit, which the log has to continue; written when all is well",
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Exit codes:
  0  each record follows the one before it, up to the signed head and beyond
  1  it could not be told: metadata that does not verify, a file that is none
  2  the command line is not valid
  3  it could not be told: the coordinator cannot be reached
  4  it could not be told: no token, or one that may not read the log
  ${NOT_WHOLE}  a record was edited, removed, put elsewhere or added, or the end was cut off

Examples:
  tributary audit verify --root root.json --seen audit-head.json
  tributary audit verify --root root.json --file audit.jsonl`,
    )
    .action(verify);

  withOperator(command.command("export"))
    .description(
      "Write the log to a file, with the signed metadata that has its head: a line of JSON for each record.",
    )
    .requiredOption("--out <file>", "where it goes: a file that does not exist yet")
    .option("--root <file>", "trust root that the app pins (default: the one the coordinator shows)")
    .addHelpText("after", examples("tributary audit export --root root.json --out audit.jsonl"))
    .action(exportLog);
  return command;
}

async function listRecords({
  url,
  dataDir,
  json,
  since,
  until,
  modelVersion,
  limit,
  before,
  ...filter
}: ListOptions): Promise<void> {
  const api = operatorApi({ url, dataDir });
  const answer = await api.audit({
    ...filter,
    ...pageOf({ limit, before }),
    ...(modelVersion === undefined ? {} : { version: modelVersion }),
    ...(since === undefined ? {} : { since: timeOf("--since", since) }),
    ...(until === undefined ? {} : { until: timeOf("--until", until) }),
  });
  if (json === true) return console.log(JSON.stringify(answer));
  for (const line of recordLines(answer.records)) console.log(line);
  printNext(answer.next, "--before");
}

async function verify(options: VerifyOptions): Promise<void> {
  const { seen } = options;
  const before =
    seen === undefined || !existsSync(seen)
      ? undefined
      : parseDocument(
          "audit head",
          AuditHead,
          parseJson("audit head", await readInput(seen), MAX_HEAD_BYTES),
        );
  const { result, where } = await (options.file === undefined
    ? verifyServed(options, before)
    : verifyFile(options, options.file, before));
  if (result.whole && seen !== undefined) await writeFile(seen, `${JSON.stringify(result.head)}\n`);
  if (!result.whole) process.exitCode = NOT_WHOLE;
  if (options.json === true) return console.log(JSON.stringify(result));
  print(result, where);
}

interface Verified {
  readonly result: AuditResult;
  readonly where: string;
}

async function verifyServed(options: VerifyOptions, seen: AuditHead | undefined): Promise<Verified> {
  const { url } = options;
  const api = operatorApi(options);
  const root = await trustedRoot(options);
  const signed = await signedAuditHead({ root, clock: systemClock, fetch: metadataOf(url) });
  return { result: await verifyAudit({ records: servedRecords(api), signed, seen }), where: url };
}

async function verifyFile(
  { root }: VerifyOptions,
  file: string,
  seen: AuditHead | undefined,
): Promise<Verified> {
  const { header, records } = await readAuditFile(file);
  const fetch = metadataIn(header);
  const trusted = await givenRoot(root, { whose: "the file's own root", fetch, where: file });
  // Metadata expires; when it was exported it had not.
  const exported = Date.parse(header.exportedAt);
  const signed = await signedAuditHead({ root: trusted, clock: { now: () => exported }, fetch });
  const result = await verifyAudit({ records, signed, seen });
  return { result, where: `${header.coordinator}, exported at ${header.exportedAt}` };
}

async function exportLog(options: ExportOptions): Promise<void> {
  const { url, out } = options;
  const api = operatorApi(options);
  const metadata: Record<string, string> = {};
  const fetch = noting(metadataOf(url), metadata);
  // All roots, so that whoever pinned the first one can follow.
  for (let number = 1; (await fetch(`${number}.root.json`, MAX_ROOT_BYTES)) !== undefined;) number += 1;
  const signed = await signedAuditHead({ root: await trustedRoot(options), clock: systemClock, fetch });
  const exportedAt = new Date(systemClock.now()).toISOString();
  const count = await writeAuditFile(out, { exportedAt, coordinator: url, metadata }, servedRecords(api));
  console.log(
    `${out}: ${counted(count, "record")}, ${signed.size} of them under timestamp ${signed.timestampVersion}`,
  );
}

function print(result: AuditResult, where: string): void {
  if (!result.whole) {
    const { code, message, record } = result.finding;
    console.error(`tributary: ${message} (${code})`);
    if (record !== null) for (const line of shownRecord(record)) console.log(line);
    return;
  }
  const { head, signed } = result;
  console.log(`${where}: ${counted(head.size, "record")}, each follows the one before it; head ${head.hash}`);
  const since = head.size - signed.size;
  const rest = since === 0 ? "" : `; ${since} came since, and will be signed within seconds`;
  console.log(`signed by timestamp ${signed.timestampVersion}: ${counted(signed.size, "record")}${rest}`);
}

/** As a table, or as it is where it has lost its form. */
function shownRecord(record: unknown): string[] {
  try {
    return recordLines([record as ShownRecord]);
  } catch {
    return [JSON.stringify(record)];
  }
}

function timeOf(option: string, text: string): string {
  const at = Date.parse(text);
  if (Number.isNaN(at))
    throw failure("cli/usage", `${option}: expected a time as 2026-03-01T12:00Z, got "${text}"`);
  return new Date(at).toISOString();
}
