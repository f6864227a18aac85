import type { Command } from "commander";

/** In the order of the help text. A module is loaded when its command is asked for: the coordinator's takes a second. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import("./commands/start.ts")).startCommand(),
  serve: async () => (await import("./commands/serve.ts")).serveCommand(),
  publish: async () => (await import("./commands/publish.ts")).publishCommand(),
  bundle: async () => (await import("./commands/bundle.ts")).bundleCommand(),
  model: async () => (await import("./commands/model.ts")).modelCommand(),
  rollout: async () => (await import("./commands/rollout.ts")).rolloutCommand(),
  task: async () => (await import("./commands/task.ts")).taskCommand(),
  compare: async () => (await import("./commands/compare.ts")).compareCommand(),
  search: async () => (await import("./commands/search.ts")).searchCommand(),
  reproduce: async () => (await import("./commands/reproduce.ts")).reproduceCommand(),
  describe: async () => (await import("./commands/describe.ts")).describeCommand(),
  quantize: async () => (await import("./commands/quantize.ts")).quantizeCommand(),
  adapt: async () => (await import("./commands/adapt.ts")).adaptCommand(),
  simulate: async () => (await import("./commands/simulate.ts")).simulateCommand(),
  histograms: async () => (await import("./commands/histograms.ts")).histogramsCommand(),
  keys: async () => (await import("./commands/keys.ts")).keysCommand(),
  token: async () => (await import("./commands/token.ts")).tokenCommand(),
  issue: async () => (await import("./commands/issue.ts")).issueCommand(),
  audit: async () => (await import("./commands/audit.ts")).auditCommand(),
  log: async () => (await import("./commands/log.ts")).logCommand(),
  backup: async () => (await import("./commands/backup.ts")).backupCommand(),
  restore: async () => (await import("./commands/restore.ts")).restoreCommand(),
};

/** The loader of the command of this name, or those of all where there is none: the help lists them. */
export function commandsFor(name = ""): readonly (() => Promise<Command>)[] {
  return Object.hasOwn(COMMANDS, name) ? [COMMANDS[name]!] : Object.values(COMMANDS);
}
