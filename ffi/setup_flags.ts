/**
 * The flags of a ring by name, and the kernels that brought them.
 *
 * @module
 */

import * as abi from "./abi.ts";

/** A setup flag as errors and probes name it. */
export interface SetupFlag {
  /** Its C name. */
  readonly name: string;
  /** Its bit. */
  readonly flag: number;
  /** The first kernel that takes it. */
  readonly since: string;
}

/** Every `IORING_SETUP_*` flag, oldest first. */
export const setupFlags: readonly SetupFlag[] = [
  { name: "IORING_SETUP_IOPOLL", flag: abi.IORING_SETUP_IOPOLL, since: "5.1" },
  { name: "IORING_SETUP_SQPOLL", flag: abi.IORING_SETUP_SQPOLL, since: "5.1" },
  { name: "IORING_SETUP_SQ_AFF", flag: abi.IORING_SETUP_SQ_AFF, since: "5.1" },
  { name: "IORING_SETUP_CQSIZE", flag: abi.IORING_SETUP_CQSIZE, since: "5.5" },
  { name: "IORING_SETUP_CLAMP", flag: abi.IORING_SETUP_CLAMP, since: "5.6" },
  {
    name: "IORING_SETUP_ATTACH_WQ",
    flag: abi.IORING_SETUP_ATTACH_WQ,
    since: "5.6",
  },
  {
    name: "IORING_SETUP_R_DISABLED",
    flag: abi.IORING_SETUP_R_DISABLED,
    since: "5.10",
  },
  {
    name: "IORING_SETUP_SUBMIT_ALL",
    flag: abi.IORING_SETUP_SUBMIT_ALL,
    since: "5.18",
  },
  {
    name: "IORING_SETUP_COOP_TASKRUN",
    flag: abi.IORING_SETUP_COOP_TASKRUN,
    since: "5.19",
  },
  {
    name: "IORING_SETUP_TASKRUN_FLAG",
    flag: abi.IORING_SETUP_TASKRUN_FLAG,
    since: "5.19",
  },
  { name: "IORING_SETUP_SQE128", flag: abi.IORING_SETUP_SQE128, since: "5.19" },
  { name: "IORING_SETUP_CQE32", flag: abi.IORING_SETUP_CQE32, since: "5.19" },
  {
    name: "IORING_SETUP_SINGLE_ISSUER",
    flag: abi.IORING_SETUP_SINGLE_ISSUER,
    since: "6.0",
  },
  {
    name: "IORING_SETUP_DEFER_TASKRUN",
    flag: abi.IORING_SETUP_DEFER_TASKRUN,
    since: "6.1",
  },
  {
    name: "IORING_SETUP_NO_MMAP",
    flag: abi.IORING_SETUP_NO_MMAP,
    since: "6.5",
  },
  {
    name: "IORING_SETUP_REGISTERED_FD_ONLY",
    flag: abi.IORING_SETUP_REGISTERED_FD_ONLY,
    since: "6.5",
  },
  {
    name: "IORING_SETUP_NO_SQARRAY",
    flag: abi.IORING_SETUP_NO_SQARRAY,
    since: "6.6",
  },
  {
    name: "IORING_SETUP_HYBRID_IOPOLL",
    flag: abi.IORING_SETUP_HYBRID_IOPOLL,
    since: "6.13",
  },
  {
    name: "IORING_SETUP_CQE_MIXED",
    flag: abi.IORING_SETUP_CQE_MIXED,
    since: "6.18",
  },
  {
    name: "IORING_SETUP_SQE_MIXED",
    flag: abi.IORING_SETUP_SQE_MIXED,
    since: "6.19",
  },
  {
    name: "IORING_SETUP_SQ_REWIND",
    flag: abi.IORING_SETUP_SQ_REWIND,
    since: "7.0",
  },
];

/** The newest of the flags that are set, for errors; undefined if none is. */
export function newestSetupFlag(flags: number): SetupFlag | undefined {
  return setupFlags.findLast(({ flag }) => (flags & flag) !== 0);
}
