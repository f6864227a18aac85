import react from "@vitejs/plugin-react";
import { defaultClientConditions, defineConfig } from "vite";

/** Built to `dist` and served by the coordinator at `/` under a strict Content-Security-Policy: nothing is inlined. */
export default defineConfig(({ command }) => {
  // A build is for people, also when a test asks for it: Vite would keep NODE_ENV=test, and React its development half.
  if (command === "build") process.env.NODE_ENV = "production";
  return {
    root: import.meta.dirname,
    // Pages have addresses of any depth.
    base: "/",
    plugins: [react()],
    resolve: { conditions: ["@tributary/source", ...defaultClientConditions] },
    build: {
      outDir: "dist",
      emptyOutDir: true,
      assetsInlineLimit: 0,
      target: "es2023",
      modulePreload: { polyfill: false },
    },
    server: { proxy: { "/v1": "http://127.0.0.1:7700" } },
  };
});
