/**
 * Calls every function that takes a path, with few permissions, and prints how each call ended: of
 * `Deno` or of `fs`, as the first argument says; the second is a directory.
 *
 * Of a path into /proc and /dev that may be read and not written Deno says the one, and `fs` that it
 * needs all permissions: there the kind of the error has to do.
 */

import { ours } from "./agreement.ts";

const [which, home = "."] = Deno.args;
const api = which === "Deno" ? Deno : ours;
const [inside, outside] = [`${home}/in`, `${home}/out`];

const calls: Record<string, (path: string) => unknown> = {
  chmod: (path) => api.chmod(path, 0o777),
  chown: (path) => api.chown(path, null, null),
  linkFrom: (path) => api.link(path, `${inside}/missing/new`),
  linkTo: (path) => api.link(`${inside}/missing/old`, path),
  lstat: (path) => api.lstat(path),
  makeTempDir: (path) => api.makeTempDir({ dir: `${path}/missing` }),
  makeTempFile: (path) => api.makeTempFile({ dir: `${path}/missing` }),
  mkdir: (path) => api.mkdir(path),
  mkdirAll: (path) => api.mkdir(path, { recursive: true }),
  readDir: (path) => Array.fromAsync(api.readDir(path)),
  readLink: (path) => api.readLink(path),
  realPath: (path) => api.realPath(path),
  remove: (path) => api.remove(path),
  removeAll: (path) => api.remove(path, { recursive: true }),
  renameFrom: (path) => api.rename(path, `${inside}/missing/new`),
  renameTo: (path) => api.rename(`${inside}/missing/old`, path),
  stat: (path) => api.stat(path),
  symlinkFrom: (path) => api.symlink(path, `${inside}/missing/new`),
  symlinkTo: (path) => api.symlink("text", `${path}/missing/new`),
  utime: (path) => api.utime(path, 1, 1),
};

const paths = [`${inside}/x`, `${outside}/x`, "/proc/self/x", "/dev/x"];
const linked = ["to in/x", "to out/y", "to out/../z", "to proc/self/x"];
const links = ["to in", "to out", "dangling", "dangling out", "loop", "loop/x"];
/** As Deno reads paths where not everything is allowed. */
const untidy = [`${inside}/./x/`, `${inside}/x/..//x`, ""];

for (const [name, call] of Object.entries(calls)) {
  const led = [...linked, ...links].map((name) => `${inside}/${name}`);
  for (const path of [...paths, ...untidy, ...led]) {
    const outcome = await Promise.try(call, path).then(
      () => "done",
      (error: Error) => {
        const { message, constructor: { name } } = error;
        return /^\/(proc|dev)/.test(path) ? name : `${name}: ${message}`;
      },
    );
    console.log(`${name} ${path}: ${outcome}`);
  }
}
