import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

interface Metric {
  readonly key: string;
  readonly value: number;
  readonly timestamp: number;
  readonly step: number;
}
interface KeyValue {
  readonly key: string;
  readonly value: string;
}
/** Of any request that is used. */
interface Body {
  readonly name: string;
  readonly experiment_id: string;
  readonly experiment_ids: readonly string[];
  readonly filter: string;
  readonly max_results: number;
  readonly run_id: string;
  readonly run_name: string;
  readonly start_time: number;
  readonly end_time?: number;
  readonly status: string;
  readonly metrics?: readonly Metric[];
  readonly params?: readonly KeyValue[];
  readonly tags?: readonly KeyValue[];
}
interface Run {
  readonly info: {
    run_id: string;
    experiment_id: string;
    run_name: string;
    status: string;
    start_time: number;
    end_time?: number;
  };
  readonly metrics: Metric[];
  readonly params: Map<string, string>;
  readonly tags: Map<string, string>;
}

/**
 * An MLflow tracking server, as far as its REST API 2.0 documents the endpoints that are used: what they take, their limits, what they answer and the codes
 * of their errors. It keeps every point that it is told, twice where it is told twice.
 */
export async function mlflowServer() {
  const experiments = new Map<string, string>();
  const runs = new Map<string, Run>();
  const calls: string[] = [];
  const headers: IncomingHttpHeaders[] = [];
  /** Called for each request before it is answered; what it returns is answered instead, "lost" does the work and says nothing. */
  let disturb: (
    call: string,
  ) => { readonly status: number; readonly error_code: string } | "lost" | undefined = () => undefined;

  const problem = (error_code: string, message: string) => ({ status: 400, body: { error_code, message } });
  const shown = ({ info, metrics, params, tags }: Run) => {
    // The newest of each: by step, then by time.
    const newest = new Map<string, Metric>();
    for (const metric of metrics) {
      const before = newest.get(metric.key);
      if (
        before === undefined ||
        metric.step > before.step ||
        (metric.step === before.step && metric.timestamp >= before.timestamp)
      )
        newest.set(metric.key, metric);
    }
    const list = (map: Map<string, string>) => [...map].map(([key, value]) => ({ key, value }));
    // Fields without a value are left out, as protobuf's JSON does.
    return {
      info,
      data: {
        ...(newest.size === 0 ? {} : { metrics: [...newest.values()] }),
        ...(params.size === 0 ? {} : { params: list(params) }),
        ...(tags.size === 0 ? {} : { tags: list(tags) }),
      },
    };
  };

  const answer = (call: string, query: URLSearchParams, body: Body): { status?: number; body: unknown } => {
    switch (call) {
      case "GET experiments/get-by-name": {
        const id = experiments.get(query.get("experiment_name") ?? "");
        if (id === undefined)
          return { ...problem("RESOURCE_DOES_NOT_EXIST", "no such experiment"), status: 404 };
        return { body: { experiment: { experiment_id: id, name: query.get("experiment_name") } } };
      }
      case "POST experiments/create": {
        if (experiments.has(body.name)) return problem("RESOURCE_ALREADY_EXISTS", "there is one");
        const id = String(experiments.size + 1);
        experiments.set(body.name, id);
        return { body: { experiment_id: id } };
      }
      case "POST runs/search": {
        const [, key, value] = /^tags\.`([^`]+)` = '([^']*)'$/.exec(body.filter) ?? [];
        if (key === undefined) return problem("INVALID_PARAMETER_VALUE", `invalid filter ${body.filter}`);
        const found = [...runs.values()].filter(
          (run) => body.experiment_ids.includes(run.info.experiment_id) && run.tags.get(key) === value,
        );
        return { body: found.length === 0 ? {} : { runs: found.slice(0, body.max_results).map(shown) } };
      }
      case "POST runs/create": {
        const run: Run = {
          info: {
            run_id: `run${runs.size + 1}`,
            experiment_id: body.experiment_id,
            run_name: body.run_name,
            status: "RUNNING",
            start_time: body.start_time,
          },
          metrics: [],
          params: new Map(),
          tags: new Map((body.tags ?? []).map(({ key, value }) => [key, value])),
        };
        runs.set(run.info.run_id, run);
        return { body: { run: shown(run) } };
      }
      case "POST runs/log-batch": {
        const { run_id, metrics = [], params = [], tags = [] } = body;
        const run = runs.get(run_id);
        if (run === undefined) return problem("RESOURCE_DOES_NOT_EXIST", "no such run");
        const sizes = [metrics.length, params.length, tags.length] as const;
        if (sizes[0] > 1000 || sizes[1] > 100 || sizes[2] > 100 || sizes[0] + sizes[1] + sizes[2] > 1000)
          return problem("INVALID_PARAMETER_VALUE", `a batch of ${sizes.join(", ")}`);
        for (const { key, value } of [...params, ...tags, ...metrics])
          if (!/^[\w./ -]{1,250}$/.test(key) || (typeof value === "string" && value.length > 500))
            return problem("INVALID_PARAMETER_VALUE", `${key} is not valid`);
        for (const { key, value } of params) {
          if (run.params.has(key) && run.params.get(key) !== value)
            return problem("INVALID_PARAMETER_VALUE", `${key} was ${run.params.get(key)}`);
          run.params.set(key, value);
        }
        run.metrics.push(...metrics);
        for (const { key, value } of tags) run.tags.set(key, value);
        return { body: {} };
      }
      case "POST runs/update": {
        const run = runs.get(body.run_id);
        if (run === undefined) return problem("RESOURCE_DOES_NOT_EXIST", "no such run");
        run.info.status = body.status;
        if (body.end_time !== undefined) run.info.end_time = body.end_time;
        return { body: { run_info: run.info } };
      }
      default:
        return { ...problem("ENDPOINT_NOT_FOUND", call), status: 404 };
    }
  };

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const url = new URL(request.url!, "http://mlflow");
      const call = `${request.method} ${url.pathname.replace("/api/2.0/mlflow/", "")}`;
      calls.push(call);
      headers.push(request.headers);
      const text = Buffer.concat(chunks).toString();
      const disturbed = disturb(call);
      if (typeof disturbed === "object") {
        response.writeHead(disturbed.status, { "content-type": "application/json" });
        return void response.end(JSON.stringify(disturbed));
      }
      const { status = 200, body } = answer(
        call,
        url.searchParams,
        (text === "" ? {} : JSON.parse(text)) as Body,
      );
      if (disturbed === "lost") return void request.socket.destroy();
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    experiments,
    runs,
    calls,
    headers,
    set disturb(next: typeof disturb) {
      disturb = next;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
