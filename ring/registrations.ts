/**
 * What a ring can have registered, and what else io_uring_register(2) does for it.
 *
 * @module
 */

import { IORING_REGISTER_ENABLE_RINGS } from "../ffi/abi.ts";
import type { Block } from "../ffi/block.ts";
import type { View } from "../ffi/memory.ts";
import type { Registrar } from "./registrar.ts";
import {
  type BpfFilter,
  registerBpfFilter,
} from "./registration/bpf_filter.ts";
import { BufRing, type BufRingOptions } from "./registration/buf_ring.ts";
import { RegisteredBuffers } from "./registration/buffers.ts";
import { cancelOps, type CancelRequest } from "./registration/cancel.ts";
import { setClock } from "./registration/clock.ts";
import { RegisteredEventfd } from "./registration/eventfd.ts";
import { RegisteredFiles } from "./registration/files.ts";
import { Napi } from "./registration/napi.ts";
import { Personalities } from "./registration/personalities.ts";
import { Probe } from "./registration/probe.ts";
import {
  type Restrictions,
  restrictRing,
} from "./registration/restrictions.ts";
import { WaitRegion } from "./registration/wait_region.ts";
import { Workers } from "./registration/workers.ts";
import { Zcrx, type ZcrxOptions } from "./registration/zcrx.ts";

/** The part of a {@linkcode Ring} that stands on io_uring_register(2) alone. */
export abstract class Registrations implements Registrar {
  abstract readonly fd: number;
  abstract readonly features: number;
  abstract readonly closed: boolean;
  /** What the kernel may use for as long as the ring lives. Internal, see {@linkcode Registrar}. */
  readonly keep: Set<unknown> = new Set();
  #buffers: RegisteredBuffers | undefined;
  #files: RegisteredFiles | undefined;
  #eventfd: RegisteredEventfd | undefined;
  #personalities: Personalities | undefined;
  #workers: Workers | undefined;
  #napi: Napi | undefined;
  #waits: WaitRegion | undefined;

  abstract register(
    name: string,
    opcode: number,
    argument: View | Block | number,
    count: number,
    hint?: (errno: number) => string | undefined,
  ): number;

  /** The table of registered buffers, for the `_FIXED` ops. */
  get buffers(): RegisteredBuffers {
    return this.#buffers ??= new RegisteredBuffers(this);
  }

  /** The table of registered files, for `IOSQE_FIXED_FILE` and direct descriptors. */
  get files(): RegisteredFiles {
    return this.#files ??= new RegisteredFiles(this);
  }

  /** The eventfd that completions are signalled to. */
  get eventfd(): RegisteredEventfd {
    return this.#eventfd ??= new RegisteredEventfd(this);
  }

  /** Registered credentials, for `sqe.personality`. */
  get personalities(): Personalities {
    return this.#personalities ??= new Personalities(this);
  }

  /** The kernel's worker threads. */
  get workers(): Workers {
    return this.#workers ??= new Workers(this);
  }

  /** Busy polling of network cards. */
  get napi(): Napi {
    return this.#napi ??= new Napi(this);
  }

  /** The waits of {@linkcode registerWaits}; undefined if there are none. */
  get waits(): WaitRegion | undefined {
    return this.#waits;
  }

  /** Which opcodes this kernel has. Since Linux 5.6. */
  probe(): Probe {
    return Probe.of(this);
  }

  /**
   * Starts a ring that was made with `IORING_SETUP_R_DISABLED`. Since Linux 5.10.
   *
   * @throws {SystemError} EBADFD if the ring is not disabled.
   */
  enable(): void {
    const name = "io_uring_enable_rings";
    this.register(name, IORING_REGISTER_ENABLE_RINGS, 0, 0);
  }

  /**
   * Says what the ring may be asked for once it is enabled; everything else fails with EACCES.
   * Where no op is named, and nothing about flags, Linux 7.0 and later allow every op.
   * Cancelling, and giving back the registered ring descriptor, stay allowed from Linux 6.3
   * on, so that the ring can be closed. Since Linux 5.10, see io_uring_register_restrictions(3).
   *
   * @throws {TypeError | RangeError} if there are no such opcodes or flags.
   * @throws {SystemError} EBADFD if the ring is not disabled (`IORING_SETUP_R_DISABLED`),
   * EBUSY if it is restricted already, EINVAL for opcodes that this kernel does not know.
   *
   * @example
   * ```ts
   * import { Ring } from "@uring/uring/ring";
   * import { IORING_OP_NOP, IORING_SETUP_R_DISABLED } from "@uring/uring/ffi";
   * import { assertEquals } from "@std/assert";
   *
   * using ring = new Ring({ entries: 4, flags: IORING_SETUP_R_DISABLED });
   * ring.restrict({ opcodes: [IORING_OP_NOP] });
   * ring.enable();
   * ring.sqe(); // a zeroed entry is a NOP
   * ring.submitAndWait(1);
   * ring.forEachCqe((cqe) => assertEquals(cqe.res, 0));
   * ```
   */
  restrict(restrictions: Restrictions): void {
    restrictRing(this, restrictions);
  }

  /**
   * Filters the ring's ops by a program of classic BPF. Several filters of one op must all
   * agree. Since Linux 7.0, see io_uring_register_bpf_filter(3).
   *
   * @throws {TypeError | RangeError} if a field cannot hold what it is given.
   * @throws {SystemError} EINVAL before Linux 7.0, and for programs that are not valid.
   */
  registerBpfFilter(filter: BpfFilter): void {
    registerBpfFilter(this, filter);
  }

  /**
   * Makes a ring of provided buffers. Since Linux 5.19, see io_uring_setup_buf_ring(3).
   *
   * @throws {TypeError | RangeError} if there can be no such ring.
   * @throws {SystemError} EEXIST if the group has buffers already, EINVAL before Linux 5.19.
   */
  setupBufRing(options: BufRingOptions): BufRing {
    return new BufRing(this, options);
  }

  /**
   * Cancels ops, at once. Those that are being executed and cannot be interrupted are waited
   * for, if they were named: not with `all` or `any`. The completions of what was cancelled,
   * with ECANCELED, come as usual. Since Linux 6.0, see io_uring_register_sync_cancel(3).
   *
   * @returns how many were cancelled; 0 if none was found.
   * @throws {TypeError | RangeError} if the request is none.
   * @throws {SystemError} ETIME if the time ran out, EBADF if there is no such file, EINVAL
   * before Linux 6.0.
   *
   * @example
   * ```ts
   * import { Ring } from "@uring/uring/ring";
   * import { IORING_FEAT_REG_REG_RING, IORING_OP_POLL_ADD } from "@uring/uring/ffi";
   * import { assertEquals } from "@std/assert";
   *
   * using ring = new Ring(4);
   * const sqe = ring.sqe();
   * if (sqe !== null && ring.features & IORING_FEAT_REG_REG_RING) { // Linux 6.3
   *   sqe.prep(IORING_OP_POLL_ADD, ring.fd, 0, 0, 0); // never
   *   sqe.userData = 7;
   *   ring.submit();
   *   assertEquals(ring.cancel({ userData: 7 }), 1);
   *   ring.wait(1);
   * }
   * ```
   */
  cancel(request: CancelRequest): number {
    return cancelOps(this, request);
  }

  /**
   * Chooses the clock by which waits are timed. Since Linux 6.12, see
   * io_uring_register_clock(3).
   *
   * @param clockId `CLOCK_MONOTONIC`, as at first, or `CLOCK_BOOTTIME`, which goes on while
   * the machine is suspended.
   * @throws {TypeError | RangeError} for other clocks.
   * @throws {SystemError} EINVAL before Linux 6.12.
   */
  setClock(clockId: number): void {
    setClock(this, clockId);
  }

  /**
   * Registers arguments of waits, for {@linkcode Ring.submitAndWaitRegistered}. Only before
   * the ring is enabled (`IORING_SETUP_R_DISABLED`), once, and for as long as it lives. Since
   * Linux 6.13.
   *
   * @param entries how many, 1 to 65536.
   * @throws {TypeError | RangeError} if it is no such number.
   * @throws {SystemError} EINVAL if the ring is enabled, EBUSY if it has waits already.
   */
  registerWaits(entries: number): WaitRegion {
    return this.#waits = new WaitRegion(this, entries);
  }

  /**
   * Registers a receive queue of a network card for zero-copy receive. Since Linux 6.15, see
   * io_uring_register_ifq(3).
   *
   * @throws {TypeError | RangeError} if there can be no such queue.
   * @throws {SystemError} EPERM without CAP_NET_ADMIN; ENODEV without such an interface;
   * EOPNOTSUPP if its driver cannot do it; EINVAL for a ring without
   * `IORING_SETUP_DEFER_TASKRUN` and `IORING_SETUP_CQE32`, and before Linux 6.15.
   */
  registerZcrx(options: ZcrxOptions): Zcrx {
    return new Zcrx(this, options);
  }
}
