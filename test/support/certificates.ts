import { execFileSync } from "node:child_process";
import type { temporaryFolder } from "./folder.ts";

/** An authority of our own and a certificate that it signed for 127.0.0.1 and localhost, made by openssl. PEM files. */
export function certificates(folder: ReturnType<typeof temporaryFolder>) {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "ignore", cwd: folder.path });
  const key = ["-newkey", "rsa:2048", "-nodes", "-days", "2"];
  openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority");
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  openssl(
    "req",
    "-x509",
    "-CA",
    "ca.pem",
    "-CAkey",
    "ca.key",
    ...key,
    "-keyout",
    "server.key",
    "-out",
    "server.pem",
    ...names,
  );
  return { ca: folder.file("ca.pem"), key: folder.file("server.key"), certificate: folder.file("server.pem") };
}
