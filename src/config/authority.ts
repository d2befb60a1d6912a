import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";

const CERTIFICATE = /-----BEGIN (?:[A-Z0-9]+ )?CERTIFICATE-----/;

/** A PEM file of whom is trusted. One without a certificate would trust nobody, and be noticed at the first connection. */
export const authorityFile = (what: string) =>
  z
    .string()
    .min(1)
    .refine(mayHoldCertificate, { error: ({ input }) => `${input} holds no certificate` })
    .optional()
    .describe(what);

/** What cannot be read is told by whoever needs it. */
function mayHoldCertificate(file: string): boolean {
  let pem: string;
  try {
    pem = readFileSync(file, "utf8");
  } catch {
    return true;
  }
  try {
    return CERTIFICATE.test(pem) && new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
