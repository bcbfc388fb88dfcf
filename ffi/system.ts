/**
 * What the C library knows of the machine.
 *
 * @module
 */

import { libc } from "./libc.ts";

const _SC_PAGESIZE = 30;
const _SC_NPROCESSORS_CONF = 83;

/** The size of a page of memory in bytes: 4096, on some aarch64 kernels 16384 or 65536. */
export function pageSize(): number {
  return Number(libc().sysconf(_SC_PAGESIZE));
}

/** How many CPUs the machine is configured with, those that are offline included. */
export function configuredCpus(): number {
  return Number(libc().sysconf(_SC_NPROCESSORS_CONF));
}
