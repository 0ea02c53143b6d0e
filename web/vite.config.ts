/** How the pages are built and tested. */
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const api = "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  build: { target: "es2022", sourcemap: false, chunkSizeWarningLimit: 1200 },
  server: { host: "127.0.0.1", proxy: { "/api": api } },
  test: { environment: "jsdom", setupFiles: ["src/tests/setup.ts"], include: ["src/**/*.test.{ts,tsx}"] },
});
