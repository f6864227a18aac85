import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  addProcessOptions,
  createCoordinator,
  processConfig,
  type ProcessOptions,
} from "@tributary/coordinator";
import { Command } from "commander";
import { examples } from "../examples.ts";
import { createSiteBuilder } from "../sites/site-builder.ts";
import { siteCache, SITES } from "../sites/sites.ts";
import { createShutdown } from "../start/shutdown.ts";

/** `tributary serve`: the coordinator with its dashboard, for real devices. */
export function serveCommand(): Command {
  return addProcessOptions(new Command("serve"))
    .description("Run the coordinator and its dashboard, without a fleet or a demo.")
    .addHelpText(
      "after",
      examples(
        "tributary serve --data-dir /var/lib/tributary",
        "tributary serve --allow-origin https://app.example.org --allow-host fl.example.org",
        "tributary serve --log-format pretty --log-level info",
        "tributary serve --otlp-endpoint http://127.0.0.1:4318 --trace-ratio 0.1",
        "tributary serve --tensorboard runs",
        "MLFLOW_TRACKING_URI=http://127.0.0.1:5000 tributary serve",
        "tributary serve --host 0.0.0.0 --tls-cert fullchain.pem --tls-key privkey.pem",
        "tributary serve --host 0.0.0.0 --tls self-signed --open-enrolment default",
        "tributary serve --public-url https://fl.example.org --trusted-proxy 10.0.0.0/8",
        "tributary serve --notify-host hooks.slack.com --notify-secrets /etc/tributary/secrets",
        "tributary serve --public-url https://fl.example.org --oidc-issuer https://login.example.org/realms/ml --oidc-client-id tributary --oidc-secret-file /etc/tributary/oidc-secret --oidc-grant groups=ml-ops:operator --oidc-grant groups=ml-admins:admin",
      ),
    )
    .action(async (options: ProcessOptions) => {
      const shutdown = createShutdown(() => console.log("stopping"));
      const dashboard = createSiteBuilder(SITES.dashboard, siteCache());
      shutdown.onClose(() => dashboard.close());
      const coordinator = await createCoordinator({
        ...(await processConfig({ ...options, dataDir: resolve(options.dataDir) }, process.env)),
        dashboardDir: () => dashboard.request(),
      });
      shutdown.onClose(() => coordinator.close());
      process.on("SIGHUP", () => void coordinator.reloadCertificate());
      console.log(
        `coordinator and dashboard on ${coordinator.url}/; operator token in ${options.dataDir}/operator-token; Ctrl-C stops`,
      );
      if (coordinator.setupUrl !== null)
        console.log(
          `the first account is made at ${coordinator.setupUrl}: once, within a day, by whoever has the link`,
        );
      for (const notice of coordinator.notices) console.log(notice);
      const rootKey = join(options.dataDir, "keys", "root.key.json");
      if (existsSync(rootKey)) {
        console.log(
          `${rootKey} signs for all other keys and is seldom needed: keep it elsewhere (tributary keys --help)`,
        );
      }
    });
}
