// Runs Prisma's engine as WebAssembly over the `pg` driver: nothing native has to be downloaded.
import { PrismaPg } from "@prisma/adapter-pg";
import { defineConfig } from "prisma/config";

// The CLI looks for native engines all the same, and is content with any program that exists.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= "/bin/true";
process.env.PRISMA_QUERY_ENGINE_LIBRARY ??= "/bin/true";

// The engine leaves the timer of its lock time-out behind, which would keep every command alive for ten seconds.
const setTimer = globalThis.setTimeout;
globalThis.setTimeout = ((work: any, delay?: number, ...rest: any[]) => {
  const timer: any = setTimer(work, delay, ...rest);
  return delay !== undefined && delay >= 9_000 ? timer.unref() : timer;
}) as any;

// The adapter cuts a script at every `;` and runs the pieces one by one. Like Prisma's native engine, run it
// whole, as one query; the adapter's own error conversion is what gets the database's message into the ledger.
class WholeScripts extends PrismaPg {
  async connect() {
    const connection: any = await super.connect();
    connection.executeScript = async (script: string) => {
      try {
        await connection.client.query(script);
      } catch (error) {
        connection.onError(error);
      }
    };
    return connection;
  }
}

const Adapter = process.env.STAGING_SPLIT_SCRIPTS === "1" ? PrismaPg : WholeScripts;

export default defineConfig({
  schema: "prisma/schema.prisma",
  experimental: { adapter: true },
  engine: "js",
  // allowExitOnIdle: an idle connection would keep each command alive for ten seconds after its end.
  adapter: async () => {
    const connectionString = process.env.DATABASE_URL ?? "";
    const schema = new URL(connectionString).searchParams.get("schema") ?? undefined;
    return new Adapter({ connectionString, allowExitOnIdle: true }, { schema });
  },
});
