// How the UI is built, served while one works on it, and tested.

import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Where `make ui-dev` finds a running Weir. */
const WEIR = process.env.WEIR_URL ?? "http://127.0.0.1:4320";

export default defineConfig({
  plugins: [react()],
  logLevel: process.env.npm_lifecycle_event === "build" ? "warn" : "info",
  html: { cspNonce: "__NONCE__" },
  build: {
    // build/clean.mjs empties it: one file of it is in the repository.
    emptyOutDir: false,
    assetsInlineLimit: 0,
    target: "es2023",
    reportCompressedSize: false,
    chunkSizeWarningLimit: 900,
  },
  server: { proxy: { "/api": WEIR, "/jaeger": WEIR, "/healthz": WEIR, "/readyz": WEIR, "/metrics": WEIR } },
  test: {
    projects: [
      {
        extends: true,
        test: { name: "unit", environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}", "build/**/*.test.ts"] },
      },
      {
        extends: true,
        test: {
          name: "browser",
          environment: "node",
          include: ["browser/**/*.test.ts"],
          globalSetup: "browser/weir.ts",
          testTimeout: 30_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: "figures",
          environment: "node",
          include: ["browser/figures.ts"],
          globalSetup: "browser/weir.ts",
          testTimeout: 300_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
