import type { GraphPort, ModelCard, VersionView } from "@tributary/protocol";

/** How many names of classes a card lists. */
const CLASSES_SHOWN = 50;

/** A model card as Markdown. Texts of operators and publishers are texts in it: they bring no markup and no HTML. */
export function cardMarkdown(card: ModelCard): string {
  const { version, notes } = card;
  const sections = [
    `# ${text(card.model)}, version ${version.version}`,
    facts(card),
    section("Intended use", note(notes?.intendedUse)),
    section("Limitations", note(notes?.limitations)),
    section("Inputs and outputs", ports(card)),
    section("How it was measured", measured(version)),
    section("How it was made", made(version)),
    section("Privacy", privacy(version)),
    section("Licence and contacts", [
      `- licence: ${notes?.licence ? text(notes.licence) : "not stated"}`,
      ...(notes?.contacts ?? []).map((contact) => `- ${text(contact)}`),
    ]),
  ];
  return `${sections.join("\n\n")}\n`;
}

const section = (title: string, lines: readonly string[]): string => `## ${title}\n\n${lines.join("\n")}`;

function facts({ version, channels, aliases, format, variants }: ModelCard): string {
  const none = "none";
  return table([
    ["made at", version.createdAt],
    ["channels", channels.join(", ") || none],
    ["called", aliases.join(", ") || none],
    ["format", [format, ...variants].join(", ")],
    ["parameters", String(version.parameterCount)],
    ["float32 weights", `${version.sizeBytes} bytes, SHA-256 \`${version.weightsDigest}\``],
    ["int8 weights", `${version.int8SizeBytes} bytes`],
  ]).join("\n");
}

function note(given: string | undefined): readonly string[] {
  if (!given) return ["Nothing was written by its operators."];
  return given.split(/\r?\n/).map((line) => text(line));
}

function ports({ inputs, outputs, classes }: ModelCard): readonly string[] {
  const line = (direction: string) => (port: GraphPort) =>
    `- ${direction} ${text(port.name)}: ${port.dtype} [${port.shape.map((size) => (size < 0 ? "any" : size)).join(", ")}]`;
  return [
    ...inputs.map(line("input")),
    ...outputs.map(line("output")),
    ...(classes === null ? [] : [`- ${classes.length} classes: ${classNames(classes)}`]),
  ];
}

function classNames(classes: readonly string[]): string {
  const shown = classes.slice(0, CLASSES_SHOWN).map(text).join(", ");
  return classes.length > CLASSES_SHOWN ? `${shown} and ${classes.length - CLASSES_SHOWN} more` : shown;
}

function measured({ loss, accuracy, metrics, lineage, gate }: VersionView): readonly string[] {
  const values: [string, number][] = [
    ...(loss === null ? [] : [["loss", loss] as [string, number]]),
    ...(accuracy === null ? [] : [["accuracy", accuracy] as [string, number]]),
    // Tables, such as a confusion's, are in the JSON.
    ...Object.entries(metrics).flatMap(([name, [value, ...rest]]) =>
      value === undefined || rest.length > 0 ? [] : [[name, value] as [string, number]],
    ),
  ];
  const on = lineage?.evaluation;
  const held =
    values.length === 0
      ? ["It was not measured on held-out data."]
      : [
          ...(on
            ? [
                `On ${on.examples} held-out examples, SHA-256 \`${on.dataset}\`; intervals hold for independent examples.`,
                "",
              ]
            : []),
          ...table(values.map(([name, value]) => [text(name), `${round(value)}${interval(lineage, name)}`])),
        ];
  return gate === null ? held : [...held, "", verdict(gate)];
}

function interval(lineage: VersionView["lineage"], name: string): string {
  const found = lineage?.intervals[name];
  if (found === undefined) return "";
  return ` (${100 * found.confidence} %: ${round(found.lower)} to ${round(found.upper)})`;
}

function verdict(gate: NonNullable<VersionView["gate"]>): string {
  const { result, metric, reference, improvement, lower, upper, devices, examples, confidence } = gate;
  const found =
    improvement === null || lower === null || upper === null
      ? "too few held-out devices to say"
      : `${metric} better by ${round(improvement)} (each bound ${100 * confidence} %: ${round(lower)} to ${round(upper)})`;
  return `Gate: ${result} against version ${reference}: ${found}, on ${examples} examples of ${devices} held-out devices.`;
}

function made({
  parentVersion,
  strategy,
  lineage,
  cohort,
  numExamples,
  trust,
}: VersionView): readonly string[] {
  const by = lineage?.madeBy;
  const settings = Object.entries(strategy?.parameters ?? {}).map(([name, value]) => `${name} ${value}`);
  return [
    `- grew out of: ${parentVersion === null ? "nothing, it is the first" : `version ${parentVersion}`}`,
    `- made by: ${
      by === undefined
        ? "not recorded"
        : by.kind === "operator"
          ? "an operator, who published it"
          : `task ${by.task}, plan ${by.plan.number}, SHA-256 \`${by.plan.digest}\``
    }`,
    ...(strategy === null ? [] : [`- strategy: ${[strategy.name, ...settings].map(text).join(", ")}`]),
    ...(cohort === 0 ? [] : [`- updates in it: ${cohort}, of ${numExamples} examples`]),
    ...(lineage?.cohorts ?? []).map(
      ({ round: id, updates, staleness }) =>
        `- round ${id}: ${updates} updates${staleness === null ? "" : `, staleness ${staleness}`}`,
    ),
    ...(trust === null ? [] : [`- of ${trust.compared} compared updates ${trust.trusted} were trusted`]),
    ...(lineage === null
      ? []
      : [
          `- data schema: SHA-256 \`${lineage.dataSchema.digest}\``,
          `- coordinator: version ${text(lineage.code.coordinator)}`,
        ]),
  ];
}

function privacy({ lineage }: VersionView): readonly string[] {
  if (lineage === null) return ["Not recorded."];
  const { epsilon, reason, secureAggregation, maxUpdateNorm } = lineage.privacy;
  const summed =
    secureAggregation === null
      ? "none"
      : `sums of at least ${secureAggregation.minimumCohort} updates, and no single one, were seen`;
  return [
    `- differential privacy: ${epsilon === null ? (reason ?? "none") : `epsilon ${round(epsilon)}`}`,
    ...(lineage.madeBy.kind === "operator"
      ? []
      : [
          `- secure aggregation: ${summed}`,
          `- largest norm of an update: ${maxUpdateNorm === null ? "unbounded" : round(maxUpdateNorm)}`,
        ]),
  ];
}

function table(rows: readonly (readonly [string, string])[]): readonly string[] {
  return ["| | |", "| - | - |", ...rows.map(([name, value]) => `| ${name} | ${value} |`)];
}

function round(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** Text as Markdown shows it, on one line: nothing in it is markup. */
function text(given: string): string {
  return given
    .replaceAll(/\s+/g, " ")
    .replaceAll(/[\\`*_{}[\]()#+!|~-]/g, String.raw`\$&`)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}
