import type {
  ChannelChange,
  ChannelView,
  ModelView,
  RolloutView,
  RoundView,
  ServerEvent,
  StatusView,
  TaskActivityView,
  TaskView,
  VersionView,
} from "@tributary/api-client";

// What an event does to the lists that were read before. Pure and idempotent: an event that the list already holds
// changes nothing, so a list read while events arrive ends up right.

/** The newest state of a task, and of the round it is in. */
export function applyToTasks(tasks: readonly TaskView[], event: ServerEvent): readonly TaskView[] {
  switch (event.type) {
    case "task":
      return upsert(tasks, event.data, (task) => task.name);
    case "round": {
      const round = event.data;
      return tasks.map((task) => {
        if (task.name !== round.task || (task.round !== null && task.round.number > round.number))
          return task;
        return { ...task, round };
      });
    }
    case "version": {
      const { model, version } = event.data;
      return tasks.map((task) =>
        task.model === model && task.currentVersion < version ? { ...task, currentVersion: version } : task,
      );
    }
    case "suspicion":
    case "channel":
    case "rollout":
    case "withdrawal":
    case "alias":
    case "alert":
    case "record":
    case "devices":
    case "activity":
    case "storage":
    case "reset":
      return tasks;
  }
}

/** One round of a task. */
export function applyToRound(
  task: string,
  number: number,
  round: RoundView | null,
  event: ServerEvent,
): RoundView | null {
  return event.type === "round" && event.data.task === task && event.data.number === number
    ? event.data
    : round;
}

/** Rounds of one task, newest first. */
export function applyToRounds(
  task: string,
  rounds: readonly RoundView[],
  event: ServerEvent,
): readonly RoundView[] {
  if (event.type !== "round" || event.data.task !== task) return rounds;
  return descending(
    upsert(rounds, event.data, (round) => round.id),
    (round) => round.number,
  );
}

/** One version of a model. */
export function applyToVersion(version: VersionView, event: ServerEvent): VersionView {
  return event.type === "version" &&
    event.data.model === version.model &&
    event.data.version === version.version
    ? event.data
    : version;
}

/** Rollouts of one model, newest first. */
export function applyToRollouts(
  model: string,
  rollouts: readonly RolloutView[],
  event: ServerEvent,
): readonly RolloutView[] {
  if (event.type !== "rollout" || event.data.model !== model) return rollouts;
  const changed = event.data;
  return rollouts.some(({ rollout }) => rollout === changed.rollout)
    ? rollouts.map((each) => (each.rollout === changed.rollout ? changed : each))
    : [changed, ...rollouts];
}

export function applyToModels(models: readonly ModelView[], event: ServerEvent): readonly ModelView[] {
  if (event.type === "channel") {
    const { model, ...change } = event.data;
    return models.map((item) =>
      item.name === model ? { ...item, channels: changedChannels(item.channels, change) } : item,
    );
  }
  if (event.type === "alias") {
    const { model, name, version, at } = event.data;
    return models.map((item) =>
      item.name === model ? { ...item, aliases: changedAliases(item.aliases, name, version, at) } : item,
    );
  }
  if (event.type !== "version") return models;
  const { model, version, releasedAt } = event.data;
  return models.map((item) => {
    if (item.name !== model) return item;
    const known =
      item.currentVersion < version
        ? { ...item, currentVersion: version, versions: item.versions + 1 }
        : item;
    // stable points to what was released last, which may be an older version.
    if (releasedAt === null || Date.parse(releasedAt) <= Date.parse(item.releasedAt)) return known;
    const channels = changedChannels(item.channels, { name: "stable", version, at: releasedAt });
    const aliases = changedAliases(item.aliases, "champion", version, releasedAt);
    return { ...known, releasedVersion: version, releasedAt, channels, aliases };
  });
}

function changedAliases(
  aliases: ModelView["aliases"],
  name: string,
  version: number | null,
  movedAt: string,
): ModelView["aliases"] {
  const others = aliases.filter((alias) => alias.name !== name);
  if (version === null) return others;
  return [...others, { name, version, movedAt }].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function changedChannels(
  channels: ModelView["channels"],
  { name, version, at }: Omit<ChannelChange, "model">,
): ModelView["channels"] {
  const others = channels.filter((channel) => channel.name !== name);
  if (version === null) return others;
  const known = channels.find((channel) => channel.name === name);
  if (known !== undefined && Date.parse(known.releasedAt) > Date.parse(at)) return channels;
  const order = (channel: ChannelView): string => (channel.name === "stable" ? "" : channel.name);
  return [...others, { name, version, releasedAt: at }].sort((a, b) => (order(a) < order(b) ? -1 : 1));
}

/** What a task waits for. */
export function applyToActivity(
  task: string,
  activity: TaskActivityView,
  event: ServerEvent,
): TaskActivityView {
  return event.type === "activity" && event.data.task === task ? event.data : activity;
}

export function applyToStatus<Status extends StatusView>(status: Status, event: ServerEvent): Status {
  switch (event.type) {
    case "devices":
      return { ...status, devices: event.data };
    case "storage":
      return { ...status, storageProblem: event.data.problem };
    default:
      return status;
  }
}

function upsert<Item, Key>(items: readonly Item[], item: Item, keyOf: (item: Item) => Key): readonly Item[] {
  const key = keyOf(item);
  const at = items.findIndex((other) => keyOf(other) === key);
  return at === -1 ? [...items, item] : items.with(at, item);
}

function descending<Item>(items: readonly Item[], numberOf: (item: Item) => number): readonly Item[] {
  return items.toSorted((a, b) => numberOf(b) - numberOf(a));
}
