import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Workspace } from "./workspace.ts";

const START_ATTEMPTS = 100;

/** Serves a folder by nginx with sendfile, one worker, no access log: the fastest plain static download there is. */
export async function startNginx(space: Workspace, root: string): Promise<string> {
  const folder = space.path("nginx");
  mkdirSync(folder);
  const port = await freePort();
  const configuration = `
    daemon off; master_process off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
    events { worker_connections 64; }
    http {
      access_log off; sendfile on; tcp_nopush on; types { }
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
      server { listen 127.0.0.1:${port}; root ${root}; }
    }`;
  writeFileSync(`${folder}/nginx.conf`, configuration);
  const nginx = spawn("nginx", ["-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`], {
    stdio: "inherit",
  });
  space.onDispose(() => void nginx.kill("SIGKILL"));
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt++) {
    const isUp = await fetch(`http://127.0.0.1:${port}/`, { method: "HEAD" }).then(
      () => true,
      () => false,
    );
    if (isUp) return `http://127.0.0.1:${port}`;
    await pause(50);
  }
  throw new Error("nginx did not start");
}

/** A port of loopback that nobody has right now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
