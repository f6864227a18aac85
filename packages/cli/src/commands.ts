import { Command } from "commander";

/** One command of the command line. Its module is loaded when it is asked for: the coordinator's takes a second. */
interface Entry {
  /** Under which title the help lists it. */
  readonly group: string;
  /** What the list of commands says of it; its own help says more. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

export const RUN = "Run:";
const MODELS = "Models:";
const TRAINING = "Training:";
const RELEASES = "Releases:";
export const OPERATION = "Operation:";

/** In the order of the help text. */
const COMMANDS: Readonly<Record<string, Entry>> = {
  start: {
    group: RUN,
    summary: "Try it: a coordinator, a local fleet, the demo and federated rounds of digits",
    load: async () => (await import("./commands/start.ts")).startCommand(),
  },
  serve: {
    group: RUN,
    summary: "Run the coordinator and its dashboard, for real devices",
    load: async () => (await import("./commands/serve.ts")).serveCommand(),
  },
  doctor: {
    group: RUN,
    summary: "Find what is set up wrong on this machine, in a data directory, at a coordinator",
    load: async () => (await import("./commands/doctor.ts")).doctorCommand(),
  },
  publish: {
    group: MODELS,
    summary: "Publish a model and release it",
    load: async () => (await import("./commands/publish.ts")).publishCommand(),
  },
  model: {
    group: MODELS,
    summary: "See models, move their channels and aliases, export and import, withdraw versions",
    load: async () => (await import("./commands/model.ts")).modelCommand(),
  },
  versions: {
    group: MODELS,
    summary: "List the versions of a model",
    load: async () => (await import("./commands/versions.ts")).versionsCommand(),
  },
  describe: {
    group: MODELS,
    summary: "Tell what an ONNX file holds, and whether devices can train it",
    load: async () => (await import("./commands/describe.ts")).describeCommand(),
  },
  quantize: {
    group: MODELS,
    summary: "Make a smaller ONNX model and compare it",
    load: async () => (await import("./commands/quantize.ts")).quantizeCommand(),
  },
  histograms: {
    group: MODELS,
    summary: "Count activations, to quantize elsewhere",
    load: async () => (await import("./commands/histograms.ts")).histogramsCommand(),
  },
  adapt: {
    group: MODELS,
    summary: "Add low-rank adapters to an ONNX model, or merge them",
    load: async () => (await import("./commands/adapt.ts")).adaptCommand(),
  },
  bundle: {
    group: MODELS,
    summary: "Write a signed release as a folder for a static server",
    load: async () => (await import("./commands/bundle.ts")).bundleCommand(),
  },
  task: {
    group: TRAINING,
    summary: "Check, create, watch, pause and reset federated tasks",
    load: async () => (await import("./commands/task.ts")).taskCommand(),
  },
  rounds: {
    group: TRAINING,
    summary: "List the rounds of a task, or show one",
    load: async () => (await import("./commands/rounds.ts")).roundsCommand(),
  },
  search: {
    group: TRAINING,
    summary: "Find versions, rounds and tasks by what was measured of them",
    load: async () => (await import("./commands/search.ts")).searchCommand(),
  },
  compare: {
    group: TRAINING,
    summary: "Show tasks or versions side by side",
    load: async () => (await import("./commands/compare.ts")).compareCommand(),
  },
  simulate: {
    group: TRAINING,
    summary: "Play a task's rounds among simulated devices",
    load: async () => (await import("./commands/simulate.ts")).simulateCommand(),
  },
  reproduce: {
    group: TRAINING,
    summary: "Take the step that made a version again, and compare",
    load: async () => (await import("./commands/reproduce.ts")).reproduceCommand(),
  },
  rollout: {
    group: RELEASES,
    summary: "Give a version to devices in steps, and take it back where it does worse",
    load: async () => (await import("./commands/rollout.ts")).rolloutCommand(),
  },
  rollback: {
    group: RELEASES,
    summary: "Put a channel back to the version that it had before",
    load: async () => (await import("./commands/rollback.ts")).rollbackCommand(),
  },
  keys: {
    group: RELEASES,
    summary: "Show and change the keys that sign releases; sign offline",
    load: async () => (await import("./commands/keys.ts")).keysCommand(),
  },
  devices: {
    group: OPERATION,
    summary: "The fleet: list devices, show one, revoke one",
    load: async () => (await import("./commands/devices.ts")).devicesCommand(),
  },
  login: {
    group: OPERATION,
    summary: "Sign in to an account, for the commands that follow",
    load: async () => (await import("./commands/login.ts")).loginCommand(),
  },
  logout: {
    group: OPERATION,
    summary: "Revoke what a login made, and forget it",
    load: async () => (await import("./commands/logout.ts")).logoutCommand(),
  },
  operator: {
    group: OPERATION,
    summary: "Give people accounts and roles",
    load: async () => (await import("./commands/operator.ts")).operatorCommand(),
  },
  "api-token": {
    group: OPERATION,
    summary: "Make tokens for programs that call the API",
    load: async () => (await import("./commands/api-token.ts")).apiTokenCommand(),
  },
  token: {
    group: OPERATION,
    summary: "Mint an enrolment token for a device",
    load: async () => (await import("./commands/token.ts")).tokenCommand(),
  },
  issue: {
    group: OPERATION,
    summary: "Be the enrolment issuer of an app",
    load: async () => (await import("./commands/issue.ts")).issueCommand(),
  },
  alerts: {
    group: OPERATION,
    summary: "See what is wrong, acknowledge and silence it, change what is looked at",
    load: async () => (await import("./commands/alerts.ts")).alertsCommand(),
  },
  notify: {
    group: OPERATION,
    summary: "Say where alerts are told, try it, and see what was told",
    load: async () => (await import("./commands/notify.ts")).notifyCommand(),
  },
  policy: {
    group: OPERATION,
    summary: "Have the coordinator decide by itself, see what it decided, and stop it",
    load: async () => (await import("./commands/policy.ts")).policyCommand(),
  },
  audit: {
    group: OPERATION,
    summary: "Show, verify and export the audit log",
    load: async () => (await import("./commands/audit.ts")).auditCommand(),
  },
  log: {
    group: OPERATION,
    summary: "Audit the log of device certificates",
    load: async () => (await import("./commands/log.ts")).logCommand(),
  },
  backup: {
    group: OPERATION,
    summary: "Copy a coordinator's data directory while it runs",
    load: async () => (await import("./commands/backup.ts")).backupCommand(),
  },
  restore: {
    group: OPERATION,
    summary: "Make a data directory of a backup",
    load: async () => (await import("./commands/restore.ts")).restoreCommand(),
  },
};

export const COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS);

/**
 * The commands of the program: the one of this name whole, the others by what the help's list says of them. No name loads none.
 *
 * @param names - those to load; "all" for all of them
 */
export async function loadCommands(names: readonly string[] | "all"): Promise<Command[]> {
  return Promise.all(
    Object.entries(COMMANDS).map(async ([name, { group, summary, load }]) => {
      const whole = names === "all" || names.includes(name);
      const command = whole ? await load() : new Command(name);
      return command.summary(summary).helpGroup(group);
    }),
  );
}
