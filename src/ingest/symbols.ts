/** Bundled with the package that it comes from. */
export { hex as symbolOf } from "dingbat-to-unicode";
