import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { KeyRoleView } from "@tributary/api-client";
import { failure } from "@tributary/core";
import { ROLE_NAME_PATTERN } from "@tributary/protocol";
import { Command, InvalidArgumentError, Option } from "commander";
import { integerBetween } from "../arguments.ts";
import { KEY_ALGORITHM_NAMES, makeKey, readPublicKey, type KeyAlgorithmName } from "../keys/key-files.ts";
import { roleLines, waitingLine } from "../keys/role-lines.ts";
import { describeFile, signFile } from "../keys/sign-file.ts";
import { dataDirOption, operatorApi, readerApi, urlOption, type OperatorOptions } from "../operator.ts";
import { readInput } from "../read-input.ts";
import { examples } from "../examples.ts";

interface Options extends OperatorOptions {
  readonly json?: boolean;
}

const thresholdOption = (): Option =>
  new Option("--threshold <n>", "how many of the keys have to sign (default: as before)").argParser(
    integerBetween(1, 32),
  );

/** `tributary keys`: who signs a coordinator's releases. */
export function keysCommand(): Command {
  const command = new Command("keys").description(
    "Show and change the keys that sign releases; sign offline: export what waits, sign it where the key lies, import the signatures.",
  );
  const online = (name: string, description: string): Command =>
    command
      .command(name)
      .description(description)
      .addOption(urlOption())
      .addOption(dataDirOption())
      .option("--json", "print one JSON object");
  online("list", "Who signs each role, until when, and what waits for signatures.")
    .addHelpText("after", examples("tributary keys list"))
    .action(listKeys);
  command
    .command("make")
    .description("Make a key for a role in a file of its own, to be kept away from the coordinator.")
    .argument("<role>", "root, targets, or the name of a model", roleName)
    .requiredOption(
      "--out <file>",
      "key file to write, in a folder that only you may read: one that is not there is made so; its public half goes to <file>.pub",
    )
    .addOption(
      new Option("--algorithm <name>", "Ed25519, or ECDSA P-256 for tools that know no Ed25519")
        .choices([...KEY_ALGORITHM_NAMES])
        .default("ed25519"),
    )
    .addHelpText("after", examples("tributary keys make root --out offline/root-2.key.json"))
    .action(make);
  online("add", "Let another key sign a role.")
    .argument("<role>", "a role that keys list shows")
    .argument("<file>", "public half: what keys make wrote to <file>.pub, or PEM of ECDSA P-256 or RSA")
    .addOption(thresholdOption())
    .addHelpText("after", examples("tributary keys add root offline/root-2.key.json.pub --threshold 2"))
    .action(add);
  online("remove", "Let a key sign a role no more.")
    .argument("<role>", "a role that keys list shows")
    .argument("<key>", "the key's id, or how it begins")
    .addOption(thresholdOption())
    .addHelpText("after", examples("tributary keys remove root 3f9a1c"))
    .action(remove);
  online("threshold", "Change how many keys have to sign a role.")
    .argument("<role>", "a role that keys list shows")
    .argument("<n>", "keys that have to sign", integerBetween(1, 32))
    .addHelpText("after", examples("tributary keys threshold root 2"))
    .action(async (role: string, threshold: number, options: Options) =>
      report(await operatorApi(options).setKeys(role, { threshold }), options),
    );
  online("rotate", "Have the coordinator make a new key in the place of those of the role that lie there.")
    .argument("<role>", "a role that keys list shows")
    .addHelpText("after", examples("tributary keys rotate timestamp"))
    .action(async (role: string, options: Options) =>
      report(await operatorApi(options).rotateKey(role), options),
    );
  online("export", "Write the metadata of a role that waits for signatures.")
    .argument("<role>", "a role that keys list shows")
    .option("--out <file>", "file to write (default: <version>.<role>.json)")
    .addHelpText("after", examples("tributary keys export root --out 2.root.json"))
    .action(exportDraft);
  command
    .command("sign")
    .description("Sign an exported file, wherever the key lies: no coordinator is asked.")
    .argument("<file>", "what keys export wrote; the signature is added to it")
    .requiredOption("--key <file>", "key file, of keys make or of the coordinator's keys folder")
    .addHelpText("after", examples("tributary keys sign 2.root.json --key offline/root-2.key.json"))
    .action(sign);
  online("import", "Give the coordinator the signatures of an exported file.")
    .argument("<role>", "the role that was exported")
    .argument("<file>", "the file that keys sign signed")
    .addHelpText("after", examples("tributary keys import root 2.root.json"))
    .action(async (role: string, file: string, options: Options) => {
      const text = new TextDecoder().decode(await readInput(file));
      report(await operatorApi(options).addSignatures(role, text), options);
    });
  return command;
}

function roleName(text: string): string {
  if (new RegExp(ROLE_NAME_PATTERN).test(text)) return text;
  throw new InvalidArgumentError(`Expected a name of a-z 0-9 . -, got "${text}".`);
}

async function listKeys(options: Options): Promise<void> {
  const roles = await readerApi(options).keys();
  if (options.json === true) return console.log(JSON.stringify({ roles }));
  for (const line of roleLines(roles)) console.log(line);
}

async function make(
  role: string,
  { out, algorithm }: { readonly out: string; readonly algorithm: KeyAlgorithmName },
): Promise<void> {
  const file = resolve(out);
  const { keyId } = await makeKey({ file, role, algorithm });
  console.log(`${file}: a key for ${role}, ${keyId}`);
  console.log(`its public half is ${file}.pub; tributary keys add ${role} ${file}.pub lets it sign`);
}

interface ChangeOptions extends Options {
  readonly threshold?: number;
}

async function add(role: string, file: string, options: ChangeOptions): Promise<void> {
  const api = operatorApi(options);
  const added = await readPublicKey(file);
  const keys = [...(await api.publicKeys(role)), added];
  report(await api.setKeys(role, changeOf(keys, options)), options);
}

async function remove(role: string, key: string, options: ChangeOptions): Promise<void> {
  const api = operatorApi(options);
  const view = (await api.keys()).find((each) => each.role === role);
  const keys = await api.publicKeys(role);
  // Both lists are in the same order.
  const left = keys.filter((_, i) => view?.keys[i]?.keyId.startsWith(key.toLowerCase()) !== true);
  if (keys.length - left.length !== 1) {
    throw failure(
      "cli/usage",
      `keys: ${keys.length - left.length} keys of ${role} begin with ${key}, expected one; tributary keys list shows them`,
    );
  }
  report(await api.setKeys(role, changeOf(left, options)), options);
}

function changeOf<Key>(
  keys: readonly Key[],
  { threshold }: ChangeOptions,
): { readonly keys: readonly Key[]; readonly threshold?: number } {
  return { keys, ...(threshold === undefined ? {} : { threshold }) };
}

async function exportDraft(role: string, options: Options & { readonly out?: string }): Promise<void> {
  const { version, file } = await readerApi(options).draft(role);
  const path = resolve(options.out ?? `${version}.${role}.json`);
  await writeFile(path, file);
  if (options.json === true) return console.log(JSON.stringify({ role, version, file: path }));
  for (const line of await describeFile(new TextEncoder().encode(file))) console.log(line);
  console.log(`${path}: sign it with tributary keys sign ${path} --key <file>`);
}

async function sign(file: string, { key }: { readonly key: string }): Promise<void> {
  const path = resolve(file);
  const { bytes, keyId } = await signFile(await readInput(path), resolve(key));
  for (const line of await describeFile(bytes)) console.log(line);
  await writeFile(path, bytes);
  console.log(`${path}: signed with ${keyId}`);
}

function report(view: KeyRoleView, options: Options): void {
  if (options.json === true) return console.log(JSON.stringify(view));
  for (const line of roleLines([view])) console.log(line);
  const waiting = waitingLine(view);
  if (waiting !== undefined) console.log(waiting);
}
