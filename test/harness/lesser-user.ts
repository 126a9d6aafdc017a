/**
 * A command for a process that files can be kept from. Root may read and write anything, so as root it is run without that right, by
 * setpriv (util-linux); another user might not get at a checkout in a folder of root's own.
 */
export function asLesserUser(
  command: string,
  args: readonly string[],
): { readonly command: string; readonly args: readonly string[] } {
  if (process.getuid?.() !== 0) return { command, args };
  return { command: "setpriv", args: ["--bounding-set=-dac_override,-dac_read_search", command, ...args] };
}
