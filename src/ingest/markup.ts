/** Bundled with the package that it comes from. */
export { Parser } from "htmlparser2";
