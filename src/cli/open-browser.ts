/** Opens an address in the user's browser, where there is one; the address is printed in any case. */
import { spawn } from "node:child_process";

const OPENERS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  darwin: ["open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};

/** @param address made by this program: it holds nothing of the user's files */
export function openBrowser(address: string): void {
  const [command, ...args] = OPENERS[process.platform] ?? ["xdg-open"];
  const child = spawn(command, [...args, address], { stdio: "ignore", detached: true });
  // No browser on this machine: the printed address is what remains.
  child.on("error", () => undefined);
  child.unref();
}
