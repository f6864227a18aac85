import { resolve } from "node:path";
import { restoreDataDir } from "@tributary/coordinator";
import { Command } from "commander";
import { counted } from "../counted.ts";
import { dataDirOption } from "../operator.ts";
import { examples } from "../examples.ts";

interface RestoreCommandOptions {
  readonly dataDir: string;
}

/** `tributary restore`: a data directory from a backup. */
export function restoreCommand(): Command {
  return new Command("restore")
    .description(
      "Make a data directory of a backup; every blob is checked by its digest, nothing is overwritten.",
    )
    .argument("<backup>", "folder that `tributary backup` made")
    .addOption(dataDirOption())
    .addHelpText("after", examples("tributary restore /backups/monday --data-dir /var/lib/tributary"))
    .action(async (backup: string, options: RestoreCommandOptions) => {
      const dataDir = resolve(options.dataDir);
      const { createdAt, blobs, keys } = await restoreDataDir({ backup: resolve(backup), dataDir });
      const taken = new Date(createdAt).toISOString();
      console.log(`${dataDir}: as it was at ${taken}, with ${counted(blobs.count, "blob")}`);
      if (!keys)
        console.log(
          `put the keys folder back into ${dataDir} before you start it; without them nothing can be signed`,
        );
    });
}
