// Starts the Weir that the tests in a browser look at: on free ports, in a folder of its own, with a shop's traffic in it.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestProject } from "vitest/node";
import { sendAll } from "./shop";

declare module "vitest" {
  export interface ProvidedContext {
    /** Where its pages are. */
    weir: string;
    /** Where it takes OTLP over HTTP. */
    otlp: string;
  }
}

const CONFIG = `
receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}, http: {endpoint: '127.0.0.1:0'}}}}
query: {endpoint: '127.0.0.1:0'}
storage: {free_min: 1MiB}
`;

const READY_MS = 30_000;

export interface Server {
  weir: string;
  otlp: string;
  stop: () => Promise<void>;
}

/** Runs until it is stopped; a port of 0 is any. `command`: `run`, or `demo` with its options. */
export async function start(folder: string, config = CONFIG, command = ["run"]): Promise<Server> {
  const binary = process.env.WEIR;
  if (!binary) throw new Error("WEIR must name the binary to test: make test does so");
  const file = join(folder, "weir.yaml");
  writeFileSync(file, config);
  const child = spawn(binary, [...command, "--config", file, "--data", join(folder, "data")], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (bytes: Buffer) => {
    log += bytes.toString();
  });
  const banner = new Map<string, string>();
  const ready = (async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      const match = /^ {2}(\S+) +(?:http:\/\/)?(\S+)$/.exec(line);
      if (match) banner.set(match[1]!, match[2]!.replace("localhost", "127.0.0.1"));
      if (line.startsWith("Stop:")) return true;
    }
    return false;
  })();
  const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), READY_MS).unref());
  if (!(await Promise.race([ready, late]))) {
    child.kill("SIGKILL");
    throw new Error(`weir did not start: ${log}`);
  }
  child.stdout.resume();
  return {
    weir: `http://${banner.get("queries")}`,
    otlp: `http://${banner.get("OTLP/HTTP")}`,
    stop: () => stop(child),
  };
}

async function stop(child: ChildProcess) {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await ended;
  clearTimeout(timer);
}

export function folder(): string {
  return mkdtempSync(join(tmpdir(), "weir-ui-"));
}

export default async function setup(project: TestProject) {
  const data = folder();
  const server = await start(data);
  await sendAll(server.otlp);
  project.provide("weir", server.weir);
  project.provide("otlp", server.otlp);
  return async () => {
    await server.stop();
    rmSync(data, { recursive: true, force: true });
  };
}
