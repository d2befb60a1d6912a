import { z } from "zod";
import { GROUP_LENGTH_MAX, GROUPS_MAX } from "../types.ts";
import { storedText, tenantName, token, userName } from "./fields.ts";

/** What a caller over HTTP may do. */
const RIGHTS = ["ask", "write", "observe", "erase"] as const;

const KEY_LENGTH_MIN = 16;

/** As documents name them: composed. */
export const groupName = storedText(GROUP_LENGTH_MAX, z.string().normalize("NFC")).min(1);
export const groupNames = z.array(groupName).max(GROUPS_MAX);

const caller = z
  .strictObject({
    name: storedText(128).min(1).describe("Stands in the log beside what it asks."),
    key: token
      .min(KEY_LENGTH_MIN, `must have at least ${KEY_LENGTH_MIN} characters`)
      .describe(
        "Sent as a bearer token: 16 characters of ASCII or more, without spaces. Read it from the environment: `${NAME}`.",
      ),
    may: z
      .array(z.enum(RIGHTS))
      .min(1)
      .default(["ask"])
      .describe(
        "`ask`: questions, searches, conversations, reading the list of documents. `write`: adding and deleting documents. `observe`: `/v1/status` and `/metrics`, which tell of the whole process, names of tenants and callers included. `erase`: whole collections.",
      ),
    tenant: tenantName
      .optional()
      .describe(
        "Whose documents and conversations it gets. Absent: the configured tenant's; with `forOthers` each request must say.",
      ),
    requestsMax: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe(
        "Requests of it that one process takes at once, of each tenant that it speaks for; a further one is refused (429 `rate_limited`). Absent: any number.",
      ),
    groups: groupNames.default([]).describe("Groups whose documents it may read besides the open ones."),
    user: userName
      .optional()
      .describe(
        "Whose conversations it gets: each user of a tenant has his own. Absent: those of nobody in particular, for whoever of the tenant knows the id. With `forOthers` each request says.",
      ),
    forOthers: z
      .boolean()
      .default(false)
      .describe(
        "`true`, for a gateway that knows who calls: the headers `x-ragline-tenant`, `x-ragline-groups` and `x-ragline-user` say whose request it is: of any user and groups, and of its entry's `tenant` alone, or of any where that is absent.",
      ),
    userRequired: z
      .boolean()
      .default(false)
      .describe(
        "With `forOthers`: requests that take the right `ask` must name a user, so that one whose header was lost on the way gets nobody's conversations.",
      ),
  })
  .refine(({ userRequired, forOthers }) => forOthers || !userRequired, {
    path: ["userRequired"],
    error: "is for callers `forOthers`",
  })
  .refine(({ user, forOthers }) => user === undefined || !forOthers, {
    path: ["user"],
    error: "must not come beside `forOthers`: each request says it (`x-ragline-user`)",
  });

/** Who may call over HTTP. */
export const callers = z
  .array(caller)
  .min(1)
  .max(10_000)
  .superRefine((all, context) => {
    const places = new Map<string, number>();
    for (const [i, { key }] of all.entries()) {
      const first = places.get(key);
      if (first === undefined) places.set(key, i);
      else context.addIssue({ code: "custom", path: [i, "key"], message: `is the key of callers.${first} too` });
    }
  })
  .optional()
  .describe("Who may call, each by a key of its own. Absent: everybody may do everything but erase collections.");
