import {
  pages,
  type SearchField,
  type SearchKind,
  type SearchResult,
  type SearchView,
} from "@tributary/api-client";
import { Command, Option } from "commander";
import { examples } from "../examples.ts";
import { dataDirOption, readerApi, urlOption, type OperatorOptions } from "../operator.ts";
import { printNext, withPaging, type Paging } from "../paging.ts";
import { RESULT_COLUMNS } from "../search/result-columns.ts";
import { tableLines, type TableColumn } from "../table.ts";

interface SearchCommandOptions extends OperatorOptions, Paging {
  readonly kind?: SearchKind;
  readonly fields?: boolean;
  readonly json?: boolean;
}

const KINDS = ["version", "round", "task"] as const satisfies readonly SearchKind[];
/** Of one request. */
const MOST_AT_A_TIME = 200;

const FIELD_COLUMNS: readonly TableColumn<SearchField>[] = [
  { title: "field", cell: ({ name, open }) => (open ? `${name}.NAME` : name) },
  { title: "type", cell: ({ type }) => type },
  { title: "of", cell: ({ kinds }) => kinds.join(", ") },
  {
    title: "what it is",
    cell: ({ description, choices }) =>
      choices === null ? description : `${description}: ${choices.join(", ")}`,
  },
];

/** `tributary search 'accuracy > 0.95'` */
export function searchCommand(): Command {
  return withPaging(new Command("search"), { most: 10_000, standard: 50 })
    .description(
      "Find versions, rounds and tasks by what they are and what was measured of them, newest first.",
    )
    .argument("[query]", "such as 'accuracy > 0.95 and strategy = fedAdam'; none: everything", "")
    .addOption(new Option("--kind <kind>", "only these (default: all that know the fields)").choices(KINDS))
    .option("--fields", "list what can be searched by, and search nothing")
    .option("--json", "print one JSON object")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .addHelpText(
      "after",
      `
Operators are = != < <= > >= ~ (holds the text) !~ and in (...), joined by and, or, not and parentheses. Values are numbers, 95%,
words, "texts", dates, 7d ago, yes, no and none. What has no value only meets !=, !~ and not.
${examples(
  "tributary search 'accuracy > 0.95 and strategy = fedAdam'",
  "tributary search 'loss <= 0.1 or version in (3, 4)' --kind version",
  "tributary search 'created>7d ago and phase = abandoned' --limit 200",
  "tributary search 'spec.local.learningRate >= 0.05 and not model ~ \"trial\"' --json",
  "tributary search --fields",
)}`,
    )
    .action(runSearch);
}

async function runSearch(query: string, options: SearchCommandOptions): Promise<void> {
  const api = readerApi(options);
  if (options.fields === true) {
    const fields = await api.searchFields();
    if (options.json === true) return console.log(JSON.stringify({ fields }));
    for (const line of tableLines(FIELD_COLUMNS, fields)) console.log(line);
    return;
  }
  const results: SearchResult[] = [];
  let next: string | null = null;
  const read = (cursor = options.cursor): Promise<SearchView> => {
    const limit = Math.min(MOST_AT_A_TIME, options.limit - results.length);
    return api.search(query, { kind: options.kind, limit, cursor });
  };
  for await (const page of pages(read)) {
    results.push(...page.results);
    next = page.next;
    if (results.length >= options.limit) break;
  }
  if (options.json === true) return console.log(JSON.stringify({ query, results, next }));
  if (results.length === 0) return console.log("nothing was found");
  for (const line of tableLines(RESULT_COLUMNS, results)) console.log(line);
  printNext(next);
}
