import {
  pages,
  type AlertRuleView,
  type ApiClient,
  type BufferView,
  type TaskPrivacy,
  type SearchView,
  type SearchKind,
  type SearchField,
  type PrivacyView,
  type EstimateView,
  type CompareView,
  type DeviceDetailView,
  type DeviceFilter,
  type FleetHistoryOptions,
  type FleetHistoryView,
  type FleetView,
  type KeyRoleView,
  type MeasurementView,
  type ModelCard,
  type ModelView,
  type PolicyView,
  type RefusalView,
  type RetentionPreview,
  type RetentionRule,
  type RetentionView,
  type RolloutView,
  type RoundView,
  type SignedChannelView,
  type SilenceView,
  type StatusView,
  type SuspicionView,
  type TaskActivityView,
  type TaskView,
  type VersionHealthView,
  type VersionView,
  type WithdrawnVersionView,
} from "@tributary/api-client";
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import {
  applyToActivity,
  applyToModels,
  applyToRollouts,
  applyToRound,
  applyToRounds,
  applyToStatus,
  applyToTasks,
  applyToVersion,
} from "../live/apply-event.ts";
import { byNumber, byVersion, inPages, type RowsPage } from "../live/pages.ts";
import { type EventLog, readWithEvents } from "../live/event-log.ts";
import { driftCourse } from "../model/drift-course.ts";

/** The newest is shown. */
const MEASUREMENTS_SHOWN = 1;
/** Of a round; how many there are it says itself. */
const REFUSALS_SHOWN = 5;
/** Rounds read of a task, newest first. */
const ROUNDS_SHOWN = 500;

/** Rounds or versions read at a time. */
export const PAGE_SIZE = 200;

/** Counting a fleet reads it whole. */
const FLEET_EVERY_MS = 15_000;
/** Devices tell of themselves once an hour. */
const HEALTH_EVERY_MS = 60_000;

/** The coordinator's status, and how far its clock is ahead of this device's. */
export interface Status extends StatusView {
  readonly clockOffsetMs: number;
}

function withClock(status: StatusView): Status {
  const offsetMs = Date.parse(status.startedAt) + status.uptimeSeconds * 1000 - Date.now();
  // Below that it is the time that the answer took.
  return { ...status, clockOffsetMs: Math.abs(offsetMs) < 1500 ? 0 : offsetMs };
}

/** What the page reads; events keep it fresh, so nothing is ever read twice without a reason. */
export interface Queries {
  status(): ReturnType<typeof queryOptions<Status, Error>>;
  /** How long the versions before took to reach the devices; a version tells of it anew. */
  push(): ReturnType<typeof queryOptions<StatusView["push"], Error>>;
  /** Who signs the release, and until when. */
  keys(): ReturnType<typeof queryOptions<readonly KeyRoleView[], Error>>;
  tasks(): ReturnType<typeof queryOptions<readonly TaskView[], Error>>;
  models(): ReturnType<typeof queryOptions<readonly ModelView[], Error>>;
  rounds(task: string): ReturnType<typeof queryOptions<readonly RoundView[], Error>>;
  /** A page of rounds, newest first: `useRounds` puts them together. */
  readRounds(task: string, cursor: Cursor, signal: AbortSignal): Promise<RowsPage<RoundView>>;
  /** Likewise of versions. */
  readVersions(model: string, cursor: Cursor, signal: AbortSignal): Promise<RowsPage<VersionView>>;
  /** Versions that no device runs any more, newest first. */
  withdrawals(model: string): ReturnType<typeof queryOptions<readonly WithdrawnVersionView[], Error>>;
  /** Which versions can be downloaded, and why they stay. */
  retention(model: string): ReturnType<typeof queryOptions<RetentionView, Error>>;
  /** What another rule would take out of the release. */
  retentionPreview(
    model: string,
    rule: RetentionRule,
  ): ReturnType<typeof queryOptions<RetentionPreview, Error>>;
  /** What devices follow, and whether the signed release says so already. */
  channels(model: string): ReturnType<typeof queryOptions<readonly SignedChannelView[], Error>>;
  /** By its number within the task; null where it has none. */
  round(task: string, number: number): ReturnType<typeof queryOptions<RoundView | null, Error>>;
  /** The newest of a round in which `count` updates were refused: another count is another answer. */
  refusals(round: string, count: number): ReturnType<typeof queryOptions<readonly RefusalView[], Error>>;
  /** Devices in secure cohorts of a task whose sums failed. */
  suspicions(task: string): ReturnType<typeof queryOptions<readonly SuspicionView[], Error>>;
  /** Of a task in buffered mode; null of others. */
  buffer(task: string): ReturnType<typeof queryOptions<BufferView | null, Error>>;
  /** What devices of a task measured, newest first. */
  measurements(task: string): ReturnType<typeof queryOptions<readonly MeasurementView[], Error>>;
  /** What a task waits for. */
  activity(task: string): ReturnType<typeof queryOptions<TaskActivityView, Error>>;
  /** How versions fare on single devices; no event tells of it. */
  health(model: string): ReturnType<typeof queryOptions<readonly VersionHealthView[], Error>>;
  /** Devices by what they have in common; no event tells of them. */
  fleet(population: string | undefined): ReturnType<typeof queryOptions<FleetView, Error>>;
  /** Check-ins and versions, hour by hour. */
  fleetHistory(of: FleetHistoryOptions): ReturnType<typeof queryOptions<FleetHistoryView, Error>>;
  /** Page by page. */
  devices(filter: DeviceFilter): ReturnType<typeof devicePages>;
  device(id: string): ReturnType<typeof queryOptions<DeviceDetailView, Error>>;
  /** What is known of a version. */
  card(model: string, version: number): ReturnType<typeof queryOptions<ModelCard, Error>>;
  /** What fires first, and, page by page, what has resolved; with how many of each. */
  alerts(): ReturnType<typeof alertPages>;
  alertRules(): ReturnType<typeof queryOptions<readonly AlertRuleView[], Error>>;
  silences(): ReturnType<typeof queryOptions<readonly SilenceView[], Error>>;
  policies(): ReturnType<typeof queryOptions<readonly PolicyView[], Error>>;
  /** Page by page, newest first. */
  policyDecisions(): ReturnType<typeof decisionPages>;
  /** Newest first. */
  rollouts(model: string): ReturnType<typeof queryOptions<readonly RolloutView[], Error>>;
  /** Page by page, newest first. */
  search(query: string, kind: SearchKind | undefined): ReturnType<typeof searchPages>;
  searchFields(): ReturnType<typeof queryOptions<readonly SearchField[], Error>>;
  compare(of: readonly string[]): ReturnType<typeof queryOptions<CompareView, Error>>;
  estimate(id: string): ReturnType<typeof queryOptions<EstimateView, Error>>;
  /** Page by page, as one. */
  drift(task: string): ReturnType<typeof driftPages>;
  privacy(): ReturnType<typeof queryOptions<PrivacyView, Error>>;
  taskPrivacy(task: string): ReturnType<typeof queryOptions<TaskPrivacy, Error>>;
  /** One of them. */
  version(model: string, version: number): ReturnType<typeof queryOptions<VersionView, Error>>;
}

/** Where a page of a list begins; undefined: the first. */
export type Cursor = string | undefined;

/** The cursor of the page behind this one. */
export const nextOf = ({ next }: { readonly next: string | null }): Cursor => next ?? undefined;

/** What is found is looked for anew whenever somebody comes back to it. */
const searchPages = (api: ApiClient, query: string, kind: SearchKind | undefined) =>
  infiniteQueryOptions({
    queryKey: ["search", query, kind ?? ""],
    queryFn: ({ pageParam, signal }): Promise<SearchView> =>
      api.search(query, { kind, cursor: pageParam, signal }),
    initialPageParam: undefined as Cursor,
    getNextPageParam: nextOf,
    staleTime: 0,
    retry: false,
  });

function devicePages(api: ApiClient, filter: DeviceFilter) {
  return infiniteQueryOptions({
    queryKey: ["fleet", "devices", filter],
    queryFn: ({ pageParam, signal }) =>
      api.devices({ ...filter, ...(pageParam === undefined ? {} : { cursor: pageParam }) }, { signal }),
    initialPageParam: undefined as Cursor,
    getNextPageParam: nextOf,
    placeholderData: keepPreviousData,
    staleTime: FLEET_EVERY_MS,
  });
}

const alertPages = (api: ApiClient) =>
  infiniteQueryOptions({
    queryKey: ["alerts"],
    queryFn: ({ pageParam, signal }) => api.alerts({ limit: 100, cursor: pageParam, signal }),
    initialPageParam: undefined as Cursor,
    getNextPageParam: nextOf,
    select: ({ pages }) => ({ alerts: pages.flatMap(({ alerts }) => alerts), counts: pages[0]!.counts }),
  });

const decisionPages = (api: ApiClient) =>
  infiniteQueryOptions({
    queryKey: ["policy-decisions"],
    queryFn: ({ pageParam, signal }) => api.policyDecisions({ cursor: pageParam, signal }),
    initialPageParam: undefined as Cursor,
    getNextPageParam: nextOf,
    select: ({ pages }) => pages.flatMap(({ decisions }) => decisions),
    staleTime: 0,
  });

const driftPages = (api: ApiClient, task: string) =>
  infiniteQueryOptions({
    queryKey: ["measurements", task, "drift"],
    queryFn: ({ pageParam, signal }) => api.drift(task, { cursor: pageParam, signal }),
    initialPageParam: undefined as Cursor,
    getNextPageParam: nextOf,
    select: ({ pages }) => driftCourse(pages),
  });

/** There are few: one of a channel is under way at a time. */
async function everyRollout(
  api: ApiClient,
  model: string,
  signal: AbortSignal,
): Promise<readonly RolloutView[]> {
  const all: RolloutView[] = [];
  for await (const { rollouts } of pages((cursor) => api.rollouts(model, { limit: 500, cursor, signal })))
    all.push(...rollouts);
  return all;
}

export function createQueries(api: ApiClient, log: EventLog): Queries {
  return {
    status: () =>
      queryOptions<Status>({
        queryKey: ["status"],
        queryFn: ({ signal }) =>
          readWithEvents(log, async () => withClock(await api.status({ signal })), applyToStatus),
      }),
    push: () =>
      queryOptions<StatusView["push"]>({
        queryKey: ["push"],
        queryFn: async ({ signal }) => (await api.status({ signal })).push,
        staleTime: 0,
      }),
    alerts: () => alertPages(api),
    alertRules: () =>
      queryOptions<readonly AlertRuleView[]>({
        queryKey: ["alert-rules"],
        queryFn: ({ signal }) => api.alertRules({ signal }),
        staleTime: 0,
      }),
    silences: () =>
      queryOptions<readonly SilenceView[]>({
        queryKey: ["silences"],
        queryFn: ({ signal }) => api.silences({ signal }),
        staleTime: 0,
      }),
    policies: () =>
      queryOptions<readonly PolicyView[]>({
        queryKey: ["policies"],
        queryFn: ({ signal }) => api.policies({ signal }),
        staleTime: 0,
      }),
    policyDecisions: () => decisionPages(api),
    keys: () =>
      queryOptions<readonly KeyRoleView[]>({
        queryKey: ["keys"],
        queryFn: ({ signal }) => api.keys({ signal }),
      }),
    tasks: () =>
      queryOptions<readonly TaskView[]>({
        queryKey: ["tasks"],
        queryFn: ({ signal }) => readWithEvents(log, () => api.tasks({ signal }), applyToTasks),
      }),
    models: () =>
      queryOptions<readonly ModelView[]>({
        queryKey: ["models"],
        queryFn: ({ signal }) => readWithEvents(log, () => api.models({ signal }), applyToModels),
      }),
    rounds: (task) =>
      queryOptions<readonly RoundView[]>({
        queryKey: ["rounds", task],
        queryFn: ({ signal }) =>
          readWithEvents(
            log,
            async () => (await api.rounds(task, { limit: ROUNDS_SHOWN, signal })).rounds,
            (rounds, event) => applyToRounds(task, rounds, event),
          ),
      }),
    readRounds: (task, cursor, signal) =>
      readWithEvents<RowsPage<RoundView>>(
        log,
        async () => {
          const { rounds: rows, next } = await api.rounds(task, { limit: PAGE_SIZE, cursor, signal });
          return { rows, next };
        },
        (page, event) =>
          event.type === "round" && event.data.task === task
            ? inPages([page], event.data, byNumber, cursor === undefined)[0]!
            : page,
      ),
    readVersions: (model, cursor, signal) =>
      readWithEvents<RowsPage<VersionView>>(
        log,
        async () => {
          const { versions: rows, next } = await api.versions(model, { limit: PAGE_SIZE, cursor, signal });
          return { rows, next };
        },
        (page, event) =>
          event.type === "version" && event.data.model === model
            ? inPages([page], event.data, byVersion, cursor === undefined)[0]!
            : page,
      ),
    withdrawals: (model) =>
      queryOptions<readonly WithdrawnVersionView[]>({
        queryKey: ["withdrawals", model],
        queryFn: ({ signal }) => api.withdrawals(model, { signal }),
      }),
    retention: (model) =>
      queryOptions<RetentionView>({
        queryKey: ["retention", model],
        queryFn: ({ signal }) => api.retention(model, { signal }),
        staleTime: 0,
      }),
    retentionPreview: (model, rule) =>
      queryOptions<RetentionPreview>({
        queryKey: ["retention", model, "preview", rule],
        queryFn: ({ signal }) => api.previewRetention(model, rule, { signal }),
        staleTime: 0,
        // Of what is typed, one is asked for after the other.
        gcTime: 60_000,
      }),
    channels: (model) =>
      queryOptions<readonly SignedChannelView[]>({
        queryKey: ["channels", model],
        queryFn: ({ signal }) => api.channels(model, { signal }),
      }),
    round: (task, number) =>
      queryOptions<RoundView | null>({
        queryKey: ["round", task, number],
        queryFn: ({ signal }) =>
          readWithEvents(
            log,
            async () => {
              if (!Number.isSafeInteger(number) || number < 1) return null;
              return (await api.rounds(task, { number, signal })).rounds[0] ?? null;
            },
            (round, event) => applyToRound(task, number, round, event),
          ),
      }),
    refusals: (round, count) =>
      queryOptions<readonly RefusalView[]>({
        queryKey: ["refusals", round, count],
        queryFn: async ({ signal }) =>
          (await api.refusals(round, { limit: REFUSALS_SHOWN, signal })).refusals,
      }),
    suspicions: (task) =>
      queryOptions<readonly SuspicionView[]>({
        queryKey: ["suspicions", task],
        queryFn: ({ signal }) => api.suspicions(task, { signal }),
      }),
    buffer: (task) =>
      queryOptions<BufferView | null>({
        queryKey: ["buffer", task],
        queryFn: ({ signal }) => api.buffer(task, { signal }),
      }),
    measurements: (task) =>
      queryOptions<readonly MeasurementView[]>({
        queryKey: ["measurements", task],
        queryFn: async ({ signal }) =>
          (await api.measurements(task, { limit: MEASUREMENTS_SHOWN, signal })).measurements,
      }),
    activity: (task) =>
      queryOptions<TaskActivityView>({
        queryKey: ["activity", task],
        queryFn: ({ signal }) =>
          readWithEvents(
            log,
            () => api.activity(task, { signal }),
            (activity, event) => applyToActivity(task, activity, event),
          ),
        // Nobody told of it while nobody looked.
        staleTime: 0,
      }),
    health: (model) =>
      queryOptions<readonly VersionHealthView[]>({
        queryKey: ["health", model],
        queryFn: ({ signal }) => api.health(model, { signal }),
        refetchInterval: HEALTH_EVERY_MS,
        staleTime: 0,
      }),
    fleet: (population) =>
      queryOptions<FleetView>({
        queryKey: ["fleet", "counts", population ?? null],
        queryFn: ({ signal }) => api.fleet({ population, signal }),
        refetchInterval: FLEET_EVERY_MS,
      }),
    fleetHistory: (of) =>
      queryOptions<FleetHistoryView>({
        queryKey: ["fleet", "history", of],
        queryFn: ({ signal }) => api.fleetHistory({ ...of, signal }),
        refetchInterval: HEALTH_EVERY_MS,
      }),
    devices: (filter) => devicePages(api, filter),
    device: (id) =>
      queryOptions<DeviceDetailView>({
        queryKey: ["fleet", "device", id],
        queryFn: ({ signal }) => api.device(id, { signal }),
        refetchInterval: FLEET_EVERY_MS,
      }),
    card: (model, version) =>
      queryOptions<ModelCard>({
        queryKey: ["card", model, version],
        queryFn: ({ signal }) => api.card(model, version, { signal }),
        // No event tells what operators write on it.
        staleTime: 0,
      }),
    rollouts: (model) =>
      queryOptions<readonly RolloutView[]>({
        queryKey: ["rollouts", model],
        queryFn: ({ signal }) =>
          readWithEvents(
            log,
            () => everyRollout(api, model, signal),
            (rollouts, event) => applyToRollouts(model, rollouts, event),
          ),
      }),
    search: (query, kind) => searchPages(api, query, kind),
    searchFields: () =>
      queryOptions<readonly SearchField[]>({
        queryKey: ["search-fields"],
        queryFn: ({ signal }) => api.searchFields({ signal }),
      }),
    compare: (of) =>
      queryOptions<CompareView>({
        queryKey: ["compare", ...of],
        queryFn: ({ signal }) => api.compare(of, { signal }),
        staleTime: 0,
        retry: false,
      }),
    estimate: (id) =>
      queryOptions<EstimateView>({
        queryKey: ["estimate", id],
        queryFn: ({ signal }) => api.estimate(id, { signal }),
        staleTime: 0,
      }),
    drift: (task) => driftPages(api, task),
    privacy: () =>
      queryOptions<PrivacyView>({
        queryKey: ["privacy"],
        queryFn: ({ signal }) => api.privacy({ signal }),
        staleTime: 0,
      }),
    taskPrivacy: (task) =>
      queryOptions<TaskPrivacy>({
        queryKey: ["task-privacy", task],
        queryFn: ({ signal }) => api.taskPrivacy(task, { signal }),
        staleTime: 0,
      }),
    version: (model, version) =>
      queryOptions<VersionView>({
        queryKey: ["version", model, version],
        queryFn: ({ signal }) =>
          readWithEvents(
            log,
            () => api.version(model, version, { signal }),
            (view, event) => applyToVersion(view, event),
          ),
      }),
  };
}
