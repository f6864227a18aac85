import type { DeviceDetailView, DeviceFilter, DeviceView } from "@tributary/api-client";
import { Command, InvalidArgumentError, Option } from "commander";
import { integerBetween } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { examples } from "../examples.ts";
import { dataDirOption, operatorApi, urlOption, type OperatorOptions } from "../operator.ts";
import { printNext, withPaging, type Paging } from "../paging.ts";
import { tableLines, type TableColumn } from "../table.ts";

interface ListOptions extends OperatorOptions, Paging {
  readonly population?: string;
  readonly state?: DeviceView["state"];
  readonly tag?: string;
  readonly software?: string;
  readonly model?: string;
  /** `--version` is the program's own. */
  readonly modelVersion?: number;
  readonly engine?: string;
  readonly seenSince?: string;
  readonly seenBefore?: string;
  readonly search?: string;
  readonly json?: boolean;
}

const COLUMNS: readonly TableColumn<DeviceView>[] = [
  { title: "device", cell: ({ deviceId }) => deviceId },
  { title: "population", cell: ({ population }) => population },
  { title: "state", cell: ({ state, connected }) => (connected ? "connected" : state) },
  { title: "last seen", cell: ({ lastSeenAt }) => lastSeenAt ?? "-" },
  { title: "software", cell: ({ software }) => software ?? "-" },
  { title: "runs", cell: ({ versions }) => versions.map(versionText).join(", ") || "-" },
  { title: "tags", cell: ({ tags }) => tags.join(", ") || "-" },
];

function versionText({ model, version, engine }: DeviceView["versions"][number]): string {
  return `${model} ${version}${engine === null ? "" : ` (${engine})`}`;
}

/** `tributary devices`: who takes part. */
export function devicesCommand(): Command {
  const command = new Command("devices").description(
    "The fleet: which devices take part, what runs on them, and the end of that.",
  );

  withPaging(command.command("list"), { most: 500, standard: 50 })
    .description("List devices by id: those of which all that is given holds.")
    .option("--population <name>", "of a population")
    .addOption(new Option("--state <state>", "in a state").choices(["active", "revoked", "readmitted"]))
    .option("--tag <word>", "with a tag of their enrolment token")
    .option("--software <name>", "with this name and version of their software")
    .option("--model <name>", "that run a model")
    .addOption(
      new Option("--model-version <n>", "in a version, of the model").argParser(
        integerBetween(1, 2 ** 32 - 1),
      ),
    )
    .option("--engine <name>", "by an engine, of the model")
    .option("--seen-since <time>", "seen since: a time, or 30m, 12h, 7d ago", time)
    .option("--seen-before <time>", "not seen since", time)
    .option("--search <digits>", "whose id begins so")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(
        "tributary devices list --seen-since 24h",
        "tributary devices list --model digits --model-version 7 --engine ort-wasm",
        "tributary devices list --state revoked --json",
      ),
    )
    .action(async ({ url, dataDir, json, modelVersion, ...rest }: ListOptions) => {
      const filter: DeviceFilter = {
        ...rest,
        ...(modelVersion === undefined ? {} : { version: modelVersion }),
      };
      const page = await operatorApi({ url, dataDir }).devices(filter);
      if (json === true) return console.log(JSON.stringify(page));
      if (page.devices.length === 0) return console.log("no such device");
      for (const line of tableLines(COLUMNS, page.devices)) console.log(line);
      console.log(`${page.devices.length} of ${page.total}`);
      printNext(page.next);
    });

  command
    .command("show")
    .description("Show what is known of a device.")
    .argument("<device>", "its id")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary devices show 0b1c6e0f2a5d48c7b39e1f6a7d5c4b3a"))
    .action(async (device: string, options: OperatorOptions & { readonly json?: boolean }) => {
      const view = await operatorApi(options).device(device);
      if (options.json === true) return console.log(JSON.stringify(view));
      for (const line of detailLines(view)) console.log(line);
    });

  command
    .command("revoke")
    .description(
      "Revoke a device: its connection ends within a second, and none of its certificates admits it again.",
    )
    .argument("<device>", "its id")
    .requiredOption("--reason <text>", "why; the audit log keeps it")
    .option("--yes", "do not ask")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples('tributary devices revoke 0b1c6e0f2a5d48c7b39e1f6a7d5c4b3a --reason "stolen" --yes'),
    )
    .action(
      async (
        device: string,
        options: OperatorOptions & {
          readonly reason: string;
          readonly yes?: boolean;
          readonly json?: boolean;
        },
      ) => {
        await confirm(
          `Device ${device} is cut off, and takes part in nothing any more, until you let it enrol again.`,
          options,
        );
        const view = await operatorApi(options).revokeDevice(device, options.reason);
        if (options.json === true) return console.log(JSON.stringify(view));
        console.log(`revoked ${view.deviceId} of ${view.population}`);
      },
    );

  command
    .command("readmit")
    .description(
      "Let a revoked device enrol again, with a new token; until it does, and with its old certificates, it is refused.",
    )
    .argument("<device>", "its id")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary devices readmit 0b1c6e0f2a5d48c7b39e1f6a7d5c4b3a"))
    .action(async (device: string, options: OperatorOptions & { readonly json?: boolean }) => {
      const view = await operatorApi(options).readmitDevice(device);
      if (options.json === true) return console.log(JSON.stringify(view));
      console.log(`${view.deviceId} may enrol again`);
    });

  return command;
}

const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time as people write it: RFC 3339, or how long ago. */
function time(text: string): string {
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const at = count === undefined ? Date.parse(text) : Date.now() - Number(count) * UNIT_MS[unit!]!;
  if (!Number.isFinite(at))
    throw new InvalidArgumentError(`Expected a time (2026-01-31T12:00Z) or 30m, 12h, 7d, got "${text}".`);
  return new Date(at).toISOString();
}

function detailLines(view: DeviceDetailView): string[] {
  const { deviceId, population, state, connected, enrolledAt, lastSeenAt, certificateExpiresAt } = view;
  const rows: readonly (readonly [string, string])[] = [
    ["population", population],
    ["state", connected ? `${state}, connected` : state],
    ["enrolled", enrolledAt],
    ["last seen", lastSeenAt ?? "never"],
    ["certificate until", certificateExpiresAt],
    ["software", view.software ?? "not known yet"],
    ["tags", view.tags.join(", ") || "none"],
    ["in the audit log", view.auditName ?? "not named"],
    ["refused updates", String(view.refusals.total)],
  ];
  return [
    deviceId,
    ...rows.map(([name, value]) => `  ${name.padEnd(18)}${value}`),
    ...view.versions.map((version) => `  ${"runs".padEnd(18)}${versionText(version)} since ${version.at}`),
    ...view.refusals.newest.map(({ round, code, at }) => `  ${"refused".padEnd(18)}${at} ${round}: ${code}`),
  ];
}
