import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { defineConfig } from "prisma/config";

// The native engine is downloaded at run time; this one needs nothing but npm packages. It lies beside the real
// node_modules, which the project only links to.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= join(dirname(realpathSync("node_modules")), "engine.mjs");

export default defineConfig({
  schema: "prisma/schema.prisma",
  datasource: { url: process.env.DATABASE_URL ?? "" },
});
