import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { found, keptFolder, pythonPackages } from "./installed.ts";

const VERSION = "3.19.0";

/** Helm, built once from its sources: there is no other registry of it that needs no download by hand. */
export const helm = found("Helm", () => {
  const folder = keptFolder(`helm-${VERSION}`, (GOBIN) => {
    const env = { ...process.env, GOBIN, GOFLAGS: "-buildvcs=false" };
    const install = ["install", `helm.sh/helm/v3/cmd/helm@v${VERSION}`];
    execFileSync("go", install, { stdio: "pipe", env, timeout: 900_000 });
  });
  return join(folder, "helm");
});

/** The command of PyPI's kubernetes-validate, which carries the schemas. */
export const kubernetesValidate = found("kubernetes-validate", () => {
  const packages = pythonPackages("kubernetes-validate-1.37.0", ["kubernetes-validate==1.37.0"]);
  return join(packages, "../../../bin/kubernetes-validate");
});
