import { resolve } from "node:path";
import { backupDataDir } from "@tributary/coordinator";
import { failure } from "@tributary/core";
import { Command } from "commander";
import { counted } from "../counted.ts";
import { dataDirOption } from "../operator.ts";
import { examples } from "../examples.ts";

interface BackupCommandOptions {
  readonly dataDir: string;
  readonly out: string;
  readonly withKeys?: boolean;
  readonly withoutKeys?: boolean;
}

/** `tributary backup`: a copy of a data directory, while its coordinator runs. */
export function backupCommand(): Command {
  return new Command("backup")
    .description(
      "Copy a coordinator's data directory while it runs: database, blobs and, if you say so, its keys.",
    )
    .addOption(dataDirOption())
    .requiredOption("--out <folder>", "where the backup goes: a folder that does not exist yet")
    .option("--with-keys", "put the signing keys and the operator token in: keep the backup as safe as them")
    .option("--without-keys", "leave them out: a restore then needs them from elsewhere")
    .addHelpText("after", examples("tributary backup --out /backups/monday --without-keys"))
    .action(async ({ dataDir, out, withKeys = false, withoutKeys = false }: BackupCommandOptions) => {
      if (withKeys === withoutKeys)
        throw failure(
          "cli/usage",
          "backup: say either --with-keys (whoever has the backup can sign releases) or --without-keys (a restore needs the keys from elsewhere)",
        );
      const folder = resolve(out);
      const { blobs, database, damaged } = await backupDataDir({
        dataDir: resolve(dataDir),
        out: folder,
        keys: withKeys,
      });
      for (const digest of damaged)
        console.error(`tributary: blob ${digest} is damaged and nothing uses it; it was left out`);
      if (withKeys)
        console.error("tributary: the backup holds the signing keys; whoever reads it can sign releases");
      const sizeBytes = blobs.sizeBytes + database.sizeBytes;
      console.log(
        `${folder}: database and ${counted(blobs.count, "blob")}, ${(sizeBytes / 1e6).toFixed(1)} MB`,
      );
    });
}
